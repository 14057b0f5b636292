"""What the command ``history`` does: shows what forecasts stand on here, or adds the history of another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kit.errors import UsageError
from kit.harness.run_folder import RunFolder
from kit.timing.history import Merged, merge_history, merge_pairs, read_pairs, shipped_pairs, user_history
from kit.timing.interval import SHARES, Interval, Intervals
from kit.timing.pair import NO_PAIR
from kit.timing.phases import PHASES
from kit.timing.prediction import this_machine
from kit.timing.run_pair import pair_of_run

SHOW = "show"


def history_answer(target: str) -> dict[str, Any]:
    """Show the history (``"show"``), or add to it a history file, or the run of a folder that came home.

    Raises:
        UsageError: the target is neither, or holds no pair of times; with the place of the fault.
    """
    path = Path(target)
    merged = Merged(0, 0)
    if target != SHOW:
        if not path.exists():
            raise UsageError(f"There is no {target}. Legal: {SHOW}, a history file, or the folder of a run.")
        merged = _merge_run(path) if path.is_dir() else merge_history(path)
    return _shown() | {"found": merged.found, "added": merged.added}


def _merge_run(path: Path) -> Merged:
    try:
        pair = pair_of_run(RunFolder(path))
    except NO_PAIR as error:
        raise UsageError(
            f"{path} holds no run of this kit: {type(error).__name__} {error} in its files."
        ) from error
    if pair is None:
        raise UsageError(
            f"{path} says nothing about a forecast: that takes a run which was forecast by its quick test, is "
            "complete, and did all the steps of the forecast in one session."
        )
    return merge_pairs([pair])


def _shown() -> dict[str, Any]:
    own, shipped, here = read_pairs(), shipped_pairs(), this_machine()
    intervals = Intervals(here, own, shipped)
    by_machine: dict[str, int] = {}
    for pair in own:
        by_machine[pair.machine] = by_machine.get(pair.machine, 0) + 1
    phases = {name for pair in (*own, *shipped) for name in pair.phases}
    ordered = [*(name for name in PHASES if name in phases), *sorted(phases - set(PHASES))]
    return {
        "file": _place(),
        "machine": here,
        "own": by_machine,
        "shipped": len(shipped),
        "run": _facts(intervals.run()),
        "phases": {name: _facts(intervals.phase(name)) for name in ordered},
        "ahead": {f"{share:g}": _facts(found) for share in SHARES if (found := intervals.noted(share)).known},
    }


def _place() -> str:
    try:
        return str(user_history())
    except RuntimeError as error:  # there is no home folder
        return f"nowhere ({error})"


def _facts(interval: Interval) -> dict[str, Any]:
    return {
        "factor": interval.factor,
        "level": interval.level,
        "pairs": interval.pairs,
        "calibrated": interval.calibrated,
    }
