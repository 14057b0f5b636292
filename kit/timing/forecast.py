"""The forecast: what a full run will take, from the phases that a quick test measured.

Time = Σ over phases of (units in the full run × mean seconds a unit). Means, not medians: slow steps are part of a
run. What happens once a session (setup, warm-up, finalisation) counts once, however many steps follow; what happens
once a run (baselines, tests, the last evaluation) counts once, however many sessions it takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.errors import UsageError
from kit.harness.cadence import Cadence
from kit.harness.deadline import DEFAULT_SESSION_S, Limits
from kit.harness.segments import SEGMENT_BYTES, SMALL_BYTES
from kit.timing.history import Interval
from kit.timing.plan import RunPlan

ONCE = ("setup", "warm_up", "finalise")
BY_TIME = ("checkpoint", "export")
REDUCE_KEEPS = 0.75
"""A run that does not fit is reduced if at least this share of its steps fits into one session, else split."""


@dataclass(frozen=True)
class Measurement:
    """What a quick test measured: phases by name with count and seconds, log and disk, and the plan of the run."""

    timesteps: int
    phases: Mapping[str, Mapping[str, float]]
    plan: RunPlan
    log_lines: float
    log_bytes: float
    checkpoint_cost_s: float
    disk_fixed_bytes: float
    disk_per_step_bytes: float
    checkpoint_base_bytes: float
    log_fixed_lines: float = 0.0
    log_fixed_bytes: float = 0.0

    @classmethod
    def from_json(cls, timing: Mapping[str, Any]) -> Measurement:
        """Read it from timing.json.

        Raises:
            UsageError: the quick test measured nothing that a forecast could be made from.
        """
        measured = timing.get("measured") or {}
        phases: dict[str, dict[str, float]] = {str(row["name"]): row for row in timing.get("phases", [])}
        if (
            not measured
            or not measured.get("timesteps")
            or not any(row["total_s"] > 0 for row in phases.values())
        ):
            raise UsageError("There is no quick test to forecast from: run `quick-test` first.")
        rest = {name: float(value) for name, value in measured.items() if name not in ("timesteps", "plan")}
        return cls(int(measured["timesteps"]), phases, RunPlan.from_json(measured["plan"]), **rest)

    def counts(self) -> dict[str, float]:
        """Units of each phase in the quick test."""
        return {name: float(row["count"]) for name, row in self.phases.items()}


def phase_forecast(
    measured: Measurement, timesteps: int, cadence: Cadence | None = None
) -> list[dict[str, float | str]]:
    """Return a row a phase for a run of ``timesteps``: {name, count, mean_s, total_s}."""
    cadence = cadence or Cadence()
    counts = measured.counts()
    rows: list[tuple[str, float, float]] = []
    for name, row in measured.phases.items():
        if name in ONCE:
            rows.append((name, 1.0, row["total_s"]))
        elif name not in BY_TIME:
            mean = row["total_s"] / counts[name] if counts[name] else row["total_s"]
            rows.append((name, measured.plan.count(name, timesteps, counts), mean))
    busy_s = sum(count * mean for _, count, mean in rows)
    every_s = {
        "checkpoint": cadence.checkpoint_interval_s(measured.checkpoint_cost_s),
        "export": cadence.export_min_s,
    }
    for name in BY_TIME:
        if counts.get(name):
            times = busy_s / every_s[name] + 1  # and one at the end
            rows.append((name, times, measured.phases[name]["total_s"] / counts[name]))
    return [
        {"name": name, "count": count, "mean_s": mean, "total_s": count * mean} for name, count, mean in rows
    ]


def predicted_s(measured: Measurement, timesteps: int) -> float:
    """Return the seconds that a run of ``timesteps`` takes, from the launch of its command to its exit."""
    return sum(float(row["total_s"]) for row in phase_forecast(measured, timesteps))


def session_s(measured: Measurement) -> float:
    """Return the seconds that every session takes beside its share of the work: to begin, to save, to end."""
    once_s = sum(measured.phases[name]["total_s"] for name in ONCE if name in measured.phases)
    last_s = [measured.phases[name] for name in BY_TIME if measured.counts().get(name)]
    return once_s + sum(row["total_s"] / row["count"] for row in last_s)


def forecast(measured: Measurement, timesteps: int, limits: Limits, interval: Interval) -> dict[str, Any]:
    """Return the forecast with its interval, verdict and options (the keys of ``extrapolate --json``).

    An option that never ends has 0 sessions and takes None.

    ``verdict``: ``fit`` when the upper bound ends by the soft deadline; else ``reduce`` when at least three quarters
    of the steps do, else ``split`` over sessions.
    """
    if timesteps < 1:
        raise UsageError(f"timesteps must be at least 1, not {timesteps}.")
    total_s = predicted_s(measured, timesteps)
    low_s, high_s = interval.around(total_s)
    limit_s = limits.session_s or max(DEFAULT_SESSION_S, limits.hard_s)
    log_lines, log_bytes = _log(measured, timesteps)
    fitting = largest_that_fits(measured, timesteps, limits.soft_s / interval.factor)
    short = "reduce" if fitting >= REDUCE_KEEPS * timesteps else "split"
    verdict = "fit" if high_s <= limits.soft_s else short
    return {
        "total_timesteps": timesteps,
        "predicted_s": total_s,
        "low_s": low_s,
        "high_s": high_s,
        "level": interval.level,
        "calibrated": interval.calibrated,
        "pairs": interval.pairs,
        "phases": phase_forecast(measured, timesteps),
        "log_lines": round(log_lines),
        "log_bytes": round(log_bytes),
        "disk_bytes": round(disk_bytes(measured, timesteps)),
        "verdict": verdict,
        "limit_s": limit_s,
        "soft_limit_s": limits.soft_s,
        "safety_factor": limit_s / total_s,
        "options": _options(measured, timesteps, limits, interval, fitting, fits=verdict == "fit"),
    }


def _log(measured: Measurement, timesteps: int) -> tuple[float, float]:
    """Return the lines and bytes of the log: some come with every step, one with every evaluation, the rest once."""
    more = measured.plan.repetitions(timesteps) - measured.plan.repetitions(measured.timesteps)
    each = measured.log_fixed_bytes / measured.log_fixed_lines if measured.log_fixed_lines else 0.0
    share = timesteps / measured.timesteps
    added = more if measured.log_fixed_lines else 0
    lines = measured.log_fixed_lines + added + measured.log_lines * share
    return lines, measured.log_fixed_bytes + added * each + measured.log_bytes * share


def disk_bytes(measured: Measurement, timesteps: int) -> float:
    """Return the size of the run folder at its end: two checkpoints, rows, figures, and all of it again as archive.

    What grows in a checkpoint is on disk twice as long as it is small; then both share its segments.
    """
    grown = measured.plan.checkpoint_bytes(0.0, timesteps)
    shared = grown + SEGMENT_BYTES if grown > SMALL_BYTES else 2 * grown
    checkpoints = 2 * measured.checkpoint_base_bytes + shared
    folder = measured.disk_fixed_bytes + measured.disk_per_step_bytes * timesteps + checkpoints
    return 2 * folder


def largest_that_fits(measured: Measurement, timesteps: int, limit_s: float) -> int:
    """Return the most steps, at most ``timesteps``, whose run ends by ``limit_s`` (0 when not even one does)."""
    if predicted_s(measured, timesteps) <= limit_s:
        return timesteps
    low, high = 0, timesteps
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if predicted_s(measured, middle) <= limit_s else (low, middle)
    return low


def _options(
    measured: Measurement, timesteps: int, limits: Limits, interval: Interval, fitting: int, *, fits: bool
) -> list[dict[str, Any]]:
    """A: the full run in one session. B: reduced (to half where the full one fits). C: split over sessions.

    What cannot be split, the tests after training among it, must fit into one session; else C never ends.
    """
    reduced = max(1, timesteps // 2 if fits else fitting)
    total_s = predicted_s(measured, timesteps)
    each_s = session_s(measured)
    longest_s = limits.soft_s / interval.factor
    possible = each_s < longest_s and predicted_s(measured, 1) <= longest_s
    sessions = max(2, math.ceil((total_s - each_s) / (longest_s - each_s))) if possible else 0
    split_s = total_s + (sessions - 1) * each_s if sessions else None
    return [
        {"name": "A", "timesteps": timesteps, "sessions": 1, "predicted_s": total_s},
        {"name": "B", "timesteps": reduced, "sessions": 1, "predicted_s": predicted_s(measured, reduced)},
        {"name": "C", "timesteps": timesteps, "sessions": sessions, "predicted_s": split_s},
    ]
