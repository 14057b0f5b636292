"""The quick test: runs a notebook small, checks that it can learn and be saved, and forecasts the full run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kit.errors import NotebookError, UsageError
from kit.harness.deadline import Limits
from kit.harness.finalise import finalise_again
from kit.harness.summary import COMPLETE
from kit.notebooks.launch import Launch, NotebookRun
from kit.notebooks.preflight import findings_of, launching_of
from kit.preflight.check import as_json
from kit.preflight.entrance import look_before
from kit.preflight.live_record import forget_live
from kit.timing.prediction import forecast_of


def quick_test(launch: Launch, limits: Limits) -> dict[str, Any]:
    """Run the quick test and return its summary with ``run_dir`` and ``preflight``, and ``forecast`` if it completed.

    Raises:
        NotebookError: it trained without a single gradient step, so it says nothing about the full run.
    """
    launch = replace(launch, quick_test=True)
    run, launching = NotebookRun(launch), launching_of(launch, limits)
    launching.folder.refuse_foreign()
    before = look_before(launching)
    forget_live(launching.folder)
    summary = run.run()
    summary["preflight"] = as_json([*before, *findings_of(launching, summary, "", limits)])
    if summary["status"] == COMPLETE:
        summary["forecast"] = _forecast(run, limits)
        finalise_again(run.folder, summary)
    return {**summary, "run_dir": str(run.folder.root)}


def _forecast(run: NotebookRun, limits: Limits) -> dict[str, Any]:
    try:
        return forecast_of(run.folder, None, limits)
    except UsageError as error:  # no usage of this command's: the notebook trained in a way that says nothing
        raise NotebookError(str(error)) from error
