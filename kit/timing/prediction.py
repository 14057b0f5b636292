"""Forecasts of run folders: of the quick test beside a run, or of any folder that holds one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kit.errors import KitError, UsageError
from kit.harness.config import describe, differences
from kit.harness.deadline import Limits
from kit.harness.gpu import gpu_kind
from kit.harness.platform import machine
from kit.harness.provenance import machine_kind
from kit.harness.run_folder import RunFolder
from kit.harness.summary import COMPLETE, read_json
from kit.timing.forecast import forecast
from kit.timing.history import read_pairs, shipped_pairs
from kit.timing.interval import Intervals
from kit.timing.measured import Measurement

logger = logging.getLogger(__name__)


def this_machine() -> str:
    """Return the kind of machine this is, as the history of forecasts names it."""
    return machine_kind(int(machine().get("cores") or 1), gpu_kind())


def intervals_here(kind: str | None = None) -> Intervals:
    """Return the intervals of this kind of machine, or of another ``kind``, by the histories at hand."""
    return Intervals(kind or this_machine(), read_pairs(), shipped_pairs())


def quick_folder(folder: RunFolder) -> RunFolder:
    """Return where the quick test of the run in ``folder`` lies: beside it, with ``-quick`` to its name."""
    return RunFolder(folder.root.with_name(folder.root.name + "-quick"))


def forecast_of(folder: RunFolder, timesteps: int | None, limits: Limits) -> dict[str, Any]:
    """Return the forecast that the quick test in ``folder`` supports, for its own total or for ``timesteps``.

    It is one for the kind of machine that the quick test ran on, whichever this is.

    Raises:
        UsageError: there is no quick test in the folder that came to its end and measured what the run is made of, or
            ``timesteps`` is less than 1.
    """
    run = read_json(folder.run_json)
    if not run:
        raise UsageError(f"{folder.root} is not a run folder: it has no run.json.")
    measured = _measured(folder)
    kind = kind_of_run(run)
    total = int(run["requested_timesteps"]) if timesteps is None else timesteps
    return forecast(measured, total, limits, intervals_here(kind), kind.rpartition("gpu:")[2])


def quick_test_beside(folder: RunFolder, config: Mapping[str, Any]) -> RunFolder | None:
    """Return the folder of the quick test beside ``folder``, or None where none of these settings is there."""
    beside = quick_folder(folder)
    there = read_json(beside.run_json)
    if not there or differences(there.get("config", {}), describe(config)):
        return None
    return beside


def measured_beside(folder: RunFolder, config: Mapping[str, Any]) -> Measurement | None:
    """Return what the quick test beside ``folder`` measured; None where none of these settings was done here.

    Times of another kind of machine say nothing about this one. They are left out with a warning, like a quick test
    that failed, measured nothing or cannot be read.
    """
    try:
        beside = quick_test_beside(folder, config)
        if beside is None:
            return None
        kind = kind_of_run(read_json(beside.run_json))
        if kind == this_machine():
            return _measured(beside)
        why = f"it ran on another kind of machine ({kind}; this is {this_machine()})"
    except KitError as error:
        why = str(error)
    logger.warning("The quick test beside %s forecasts nothing here: %s", folder.root.name, why)
    return None


def kind_of_run(run: Mapping[str, Any]) -> str:
    """Return the kind of machine that a run.json names; of one that names none, this one's."""
    kind = run.get("machine_kind") or this_machine()
    if not isinstance(kind, str) or "gpu:" not in kind:
        raise UsageError(
            f"run.json names no kind of machine, but {kind!r}. Legal: such as {this_machine()!r}."
        )
    return kind


def _measured(folder: RunFolder) -> Measurement:
    """Return what a finished quick test measured; raises UsageError where it failed, or measured nothing."""
    summary = read_json(folder.summary)
    if summary and summary.get("status") != COMPLETE:
        raise UsageError(
            f"The quick test in {folder.root} is {summary.get('status')} ({summary.get('reason')}): nothing can be "
            "forecast from it. Mend that and run `quick-test` again."
        )
    return Measurement.from_json(read_json(folder.timing))
