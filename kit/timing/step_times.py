"""The distribution of step times: mean, median, tails and spread, and which of the first steps were warm-up."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from kit.errors import UsageError

WARM_UP_LEVEL = 0.95


@dataclass(frozen=True)
class StepTimes:
    """Seconds a step: mean, median and the 5 % and 95 % quantiles.

    ``cv`` is the coefficient of variation, standard deviation (n - 1) over mean; 0 for a single step.
    """

    mean_s: float
    median_s: float
    p5_s: float
    p95_s: float
    cv: float

    @classmethod
    def of(cls, times_s: Sequence[float]) -> StepTimes:
        """Describe these times. Raises UsageError where there are none, or where none took any time."""
        if not times_s or not 0 < math.fsum(times_s) < math.inf:
            raise UsageError(
                f"Step times must be seconds, more than zero in all; there are {len(times_s)}, "
                f"{math.fsum(times_s):g} s in all."
            )
        mean = statistics.fmean(times_s)
        spread = statistics.stdev(times_s) if len(times_s) > 1 else 0.0
        low, middle, high = (quantile(times_s, share) for share in (0.05, 0.5, 0.95))
        return cls(mean, middle, low, high, spread / mean)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the quantile by linear interpolation between order statistics (Hyndman and Fan 1996, type 7)."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def warm_up_steps(times_s: Sequence[float]) -> int:
    """Return how many leading steps are warm-up: those before the first that the later half would call ordinary.

    Ordinary is at most the 95 % quantile of the later half. Only a leading row of slow steps goes, and half of the
    steps at most: a slow step further on is part of the work, and belongs into the mean.
    """
    if len(times_s) < 2:
        return 0
    half = len(times_s) // 2
    ordinary_s = quantile(times_s[half:], WARM_UP_LEVEL)
    return next((number for number in range(half) if times_s[number] <= ordinary_s), half)
