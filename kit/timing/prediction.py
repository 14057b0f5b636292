"""Forecasts of run folders: of the quick test beside a run, or of any folder that holds one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.errors import UsageError
from kit.harness.config import describe, differences
from kit.harness.deadline import Limits
from kit.harness.platform import machine
from kit.harness.provenance import machine_kind
from kit.harness.run_folder import RunFolder
from kit.harness.summary import read_json
from kit.timing.forecast import Measurement, forecast
from kit.timing.history import interval_for, read_pairs, shipped_pairs


def this_machine() -> str:
    """Return the kind of machine this is, as the history of forecasts names it."""
    return machine_kind(int(machine().get("cores") or 1))


def quick_folder(folder: RunFolder) -> RunFolder:
    """Return where the quick test of the run in ``folder`` lies: beside it, with ``-quick`` to its name."""
    return RunFolder(folder.root.with_name(folder.root.name + "-quick"))


def forecast_of(folder: RunFolder, timesteps: int | None, limits: Limits) -> dict[str, Any]:
    """Return the forecast that the quick test in ``folder`` supports, for its own total or for ``timesteps``.

    Raises:
        UsageError: there is no finished quick test in the folder, or ``timesteps`` is less than 1.
    """
    run = read_json(folder.run_json)
    if not run:
        raise UsageError(f"{folder.root} is not a run folder: it has no run.json.")
    measured = Measurement.from_json(read_json(folder.timing))
    interval = interval_for(this_machine(), read_pairs(), shipped_pairs())
    total = int(run["requested_timesteps"]) if timesteps is None else timesteps
    return forecast(measured, total, limits, interval)


def quick_test_beside(folder: RunFolder, config: Mapping[str, Any]) -> RunFolder | None:
    """Return the folder of the quick test beside ``folder``, or None where none of these settings is there."""
    beside = quick_folder(folder)
    there = read_json(beside.run_json)
    if not there or differences(there.get("config", {}), describe(config)):
        return None
    return beside


def forecast_of_quick_test(
    folder: RunFolder, config: Mapping[str, Any], limits: Limits
) -> dict[str, Any] | None:
    """Return the forecast of the quick test beside ``folder``, or None where none of these settings is there."""
    beside = quick_test_beside(folder, config)
    if beside is None:
        return None
    try:
        return forecast_of(beside, None, limits)
    except UsageError:
        return None
