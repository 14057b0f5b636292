"""The forecast: what a full run will take, from the phases that a quick test measured.

Time = Σ over phases of (units in the full run × mean seconds a unit). Means, not medians: slow steps are part of a
run. What happens once a session (setup, warm-up, finalisation) counts once, however many steps follow; what happens
once a run (baselines, tests, the last evaluation) counts once, however many sessions it takes. What was compiled for
a cache on disk does not count: the run finds it there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kit.errors import UsageError
from kit.harness.cadence import Cadence
from kit.harness.deadline import DEFAULT_SESSION_S, Limits
from kit.harness.segments import SEGMENT_BYTES, SMALL_BYTES
from kit.timing.drift import drift
from kit.timing.interval import Interval, Intervals
from kit.timing.measured import Measurement
from kit.timing.options import largest_that_fits, side_by_side
from kit.timing.pace import reach
from kit.timing.phases import COMPILE
from kit.timing.quota import gpu_quota

ONCE = ("setup", "warm_up", "finalise")
BY_TIME = ("checkpoint", "export")
REDUCE_KEEPS = 0.75
"""A run that does not fit is reduced if at least this share of its steps fits into one session, else split."""

QUIET = 0.15
"""The share of a quick test that others may have cost it before the machine counts as a busy one."""

Row = dict[str, Any]


def phase_forecast(measured: Measurement, timesteps: int, cadence: Cadence | None = None) -> list[Row]:
    """Return a row a phase for a run of ``timesteps``: {name, count, mean_s, total_s, cpu_s, drift}.

    ``cpu_s`` are CPU seconds of the training process, and ``drift`` is how many times as long a unit took in the later
    half of the quick test as in the earlier one, None where that is no more than its scatter.
    """
    cadence = cadence or Cadence()
    counts = measured.counts()
    rows: list[Row] = []
    for name in measured.phases:
        if name in ONCE:
            rows.append(_row(measured, name, 1.0, units=1.0))
        elif name not in (*BY_TIME, COMPILE):
            rows.append(_row(measured, name, measured.plan.count(name, timesteps, counts)))
    busy_s = sum(row["total_s"] for row in rows)
    every_s = {
        "checkpoint": cadence.checkpoint_interval_s(measured.checkpoint_cost_s),
        "export": cadence.export_min_s,
    }
    for name in BY_TIME:
        if counts.get(name):
            rows.append(_row(measured, name, busy_s / every_s[name] + 1))  # and one at the end
    return rows


def _row(measured: Measurement, name: str, count: float, units: float | None = None) -> Row:
    """Return the row of ``count`` units, of which the quick test had ``units`` (by default as many as it counted)."""
    seen = measured.phases[name]
    units = units or float(seen["count"]) or 1.0
    mean = seen["total_s"] / units
    cpu_s = count * seen.get("cpu_s", 0.0) / units
    drifting = drift(measured.windows, name)
    return {
        "name": name,
        "count": count,
        "mean_s": mean,
        "total_s": count * mean,
        "cpu_s": cpu_s,
        "drift": drifting,
    }


def predicted_s(measured: Measurement, timesteps: int) -> float:
    """Return the seconds that a run of ``timesteps`` takes, from the launch of its command to its exit."""
    return float(sum(row["total_s"] for row in phase_forecast(measured, timesteps)))


def predicted_cpu_s(measured: Measurement, timesteps: int) -> float:
    """Return the CPU seconds of the training process, all its threads, in a run of ``timesteps``."""
    return float(sum(row["cpu_s"] for row in phase_forecast(measured, timesteps)))


def bounds(measured: Measurement, timesteps: int, interval: Interval) -> tuple[float, float]:
    """Return (low, high) in seconds; a phase that drifts stretches the side that its later pace points to.

    Its later pace is twice drift ÷ (1 + drift) of its mean, where both halves have as many units. Where the machine was
    busier than QUIET the lower bound is that of an idle one: what others may have cost the quick test, at most, is not
    in it. Both bounds are at least as far away as the stretches of the quick test are from each other
    (``kit.timing.pace``).
    """
    interval = replace(interval, factor=max(interval.factor, reach(measured.windows, measured.plan)))
    rows = phase_forecast(measured, timesteps)
    total_s = sum(row["total_s"] for row in rows)
    later_s = sum(row["total_s"] * _later(row["drift"]) for row in rows)
    idle = 1.0 - measured.busy_share if measured.busy_share > QUIET else 1.0
    return interval.around(min(total_s, later_s) * idle)[0], interval.around(max(total_s, later_s))[1]


def _later(drifting: float | None) -> float:
    return 1.0 if drifting is None else 2.0 * drifting / (1.0 + drifting)


def session_s(measured: Measurement) -> float:
    """Return the seconds that every session takes beside its share of the work: to begin, to save, to end."""
    once_s = sum(measured.phases[name]["total_s"] for name in ONCE if name in measured.phases)
    last_s = [measured.phases[name] for name in BY_TIME if measured.counts().get(name)]
    return once_s + sum(row["total_s"] / row["count"] for row in last_s)


def forecast(
    measured: Measurement, timesteps: int, limits: Limits, intervals: Intervals, gpu: str = "none"
) -> dict[str, Any]:
    """Return the forecast with its intervals, verdict and options (the keys of ``extrapolate --json``).

    ``gpu`` is the kind of GPU in the machine, for the quota. ``verdict``: ``fit`` when the upper bound ends by the soft
    deadline; else ``reduce`` when at least three quarters of the steps do, else ``split`` over sessions.
    ``largest_fit`` are the most steps whose upper bound does, None where nothing bounds them.

    Raises:
        UsageError: ``timesteps`` is less than 1, or such a run has phases that were not measured.
    """
    if timesteps < 1:
        raise UsageError(f"timesteps must be at least 1, not {timesteps}.")
    measured.refuse_unmeasured(timesteps)
    interval = intervals.run()
    total_s = predicted_s(measured, timesteps)
    low_s, high_s = bounds(measured, timesteps, interval)
    limit_s = limits.session_s or max(DEFAULT_SESSION_S, limits.hard_s)
    log_lines, log_bytes = _log(measured, timesteps)
    largest = largest_that_fits(lambda steps: bounds(measured, steps, interval)[1], limits.soft_s)
    fitting = timesteps if largest is None else min(largest, timesteps)
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
        "busy_share": measured.busy_share,
        "compiled_s": measured.compiled_s,
        "reach": reach(measured.windows, measured.plan),
        "factor": interval.factor,
        "predicted_cpu_s": predicted_cpu_s(measured, timesteps),
        "phases": [_with_interval(row, intervals) for row in phase_forecast(measured, timesteps)],
        "log_lines": round(log_lines),
        "log_bytes": round(log_bytes),
        "disk_bytes": round(disk_bytes(measured, timesteps)),
        "gpu_quota": gpu_quota(gpu, total_s, high_s),
        "verdict": verdict,
        "limit_s": limit_s,
        "soft_limit_s": limits.soft_s,
        "safety_factor": limit_s / total_s,
        "largest_fit": largest,
        "options": side_by_side(
            timesteps,
            max(1, timesteps // 2 if verdict == "fit" else fitting),
            lambda steps: predicted_s(measured, steps),
            session_s(measured),
            limits.soft_s * total_s / high_s,
        ),
    }


def _with_interval(row: Row, intervals: Intervals) -> Row:
    """Add ``low_s`` and ``high_s`` from the phase's own history; None where that is too short for the level."""
    interval = intervals.phase(row["name"])
    low_s, high_s = interval.around(row["total_s"]) if interval.known else (None, None)
    return row | {"low_s": low_s, "high_s": high_s}


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
