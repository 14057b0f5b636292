"""Whether the total adapts where time gets short: tried with this run's own numbers."""

from __future__ import annotations

from kit.harness.deadline import format_duration
from kit.harness.scaling import TimestepScaler
from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.quick_run import QuickRun

SLOWER = 2.0
"""The pace that is tried: so many times too slow for the soft limit."""


def _look_at_scaling(quick: QuickRun) -> Verdict:
    soft_s, total = quick.launching.limits.soft_s, quick.planned
    if total < 2:
        return notes("The session planned no steps that could be reduced.")
    mode = str(quick.launching.parameters.get("on_pressure") or "report")
    scaler = TimestepScaler(total, soft_s, on_pressure="reduce" if mode == "report" else mode)
    step = max(1, total // 10)
    scaler.observe(0, 0.0)
    scaler.observe(step, SLOWER * soft_s * step / total)
    tried = (
        f"at half the pace that {format_duration(soft_s)} allow, the total becomes {scaler.total_timesteps:,}"
    )
    late = quick.forecast is not None and quick.forecast["verdict"] != "fit"
    if mode == "report":
        saw = (
            f"on_pressure=report: the run keeps its {total:,} steps and stops in time; with reduce, {tried}."
        )
        return notes(f"{saw} The forecast does not fit.") if late else passes(saw)
    if scaler.total_timesteps >= total:
        return fails(f"on_pressure={mode}: {tried}, which is no less than {total:,}.")
    return passes(f"on_pressure={mode}: {tried} of {total:,} steps.")


ADAPTIVE = Check(
    "Adaptive timestep logic implemented",
    "A rule that took faster steps for slower ones would have cut a healthy run, and let a slow one be killed.",
    "Choose --on-pressure reduce, or tiers below the total (SessionOptions.tiers); or split the run over sessions.",
    _look_at_scaling,
)
