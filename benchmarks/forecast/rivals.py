"""The ways that forecasts are held against: the hundred-step method of the Kaggle timing analysis, and a naive mean."""

from __future__ import annotations

from kit.timing.forecast import ONCE
from kit.timing.measured import Measurement

AROUND = ("setup", "finalise")


def hundred_steps_s(measured: Measurement, timesteps: int, steps: float, seconds: float) -> float:
    """Return set-up and end, as the quick test measured them, and ``timesteps`` of the pace of so few steps.

    Their own warm-up is among the ``seconds`` that they took.
    """
    return _seconds(measured, AROUND) + timesteps * seconds / steps


def naive_s(measured: Measurement, timesteps: int) -> float:
    """Return what comes once, and ``timesteps`` of the quick test's mean pace: all else it did, over its steps."""
    once_s = _seconds(measured, ONCE)
    rest_s = _seconds(measured, tuple(measured.phases)) - once_s
    return once_s + timesteps * rest_s / measured.timesteps


def _seconds(measured: Measurement, names: tuple[str, ...]) -> float:
    return sum(float(measured.phases[name]["total_s"]) for name in names if name in measured.phases)
