"""The quick test: runs a notebook small, makes sure that it measured something, and forecasts the full run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kit.errors import NotebookError
from kit.harness.deadline import Limits
from kit.harness.finalise import finalise_again
from kit.harness.summary import COMPLETE, read_json
from kit.notebooks.launch import Launch, NotebookRun
from kit.timing.prediction import forecast_of


def quick_test(launch: Launch, limits: Limits) -> dict[str, Any]:
    """Run the quick test and return its summary with ``run_dir`` and, where it completed, ``forecast``.

    Raises:
        NotebookError: it trained without a single gradient step, so it says nothing about the full run.
    """
    run = NotebookRun(replace(launch, quick_test=True))
    summary = run.run()
    if summary["status"] == COMPLETE:
        _require_updates(run)
        summary["forecast"] = forecast_of(run.folder, None, limits)
        finalise_again(run.folder, summary)
    return {**summary, "run_dir": str(run.folder.root)}


def _require_updates(run: NotebookRun) -> None:
    """A hundred steps of collection, multiplied by 240, cost a whole night once."""
    timing = read_json(run.folder.timing)
    planned = timing["measured"]["plan"]["rates"]
    counts = {row["name"]: row["count"] for row in timing["phases"]}
    if "update" in planned and not counts.get("update"):
        raise NotebookError(
            f"The quick test of {timing['measured']['timesteps']} steps contained no gradient step: "
            "its times say nothing about a run that learns. Lower learning_starts, or give it more steps."
        )
