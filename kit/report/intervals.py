"""The mean of paired or single measurements with its 95 % interval, without scipy."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its interval, in the unit of the measurements.

    With fewer than two measurements there is no interval: ``low`` and ``high`` are then NaN.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def has_zero(self) -> bool:
        """Whether zero lies in the interval, so that no difference is shown."""
        return not self.known or self.low <= 0.0 <= self.high

    def reversed(self) -> Interval:
        """Return the interval of the difference taken the other way round."""
        return Interval(-self.mean, -self.high, -self.low, self.n)


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Return the mean of the finite values and its t-interval, mean ± t·s/√n."""
    finite = [value for value in values if math.isfinite(value)]
    n = len(finite)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = statistics.fmean(finite)
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    half = t_quantile(0.5 + level / 2, n - 1) * statistics.stdev(finite) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


@cache
def t_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t for ``probability`` > 0.5, by bisection on its distribution."""
    low, high = 0.0, 1.0
    while _t_two_sided(high, freedom) < 2 * probability - 1:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        if _t_two_sided(middle, freedom) < 2 * probability - 1:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _t_two_sided(t: float, freedom: int) -> float:
    """P(|T| ≤ t), the finite sums of Abramowitz and Stegun 26.7.3 and 26.7.4 for a whole ``freedom``."""
    angle = math.atan2(t, math.sqrt(freedom))
    cosine_squared = math.cos(angle) ** 2
    if freedom % 2:
        term, total = math.cos(angle), 0.0
        for k in range(1, freedom - 1, 2):
            total += term
            term *= cosine_squared * (k + 1) / (k + 2)
        return 2 / math.pi * (angle + math.sin(angle) * total)
    term, total = 1.0, 0.0
    for k in range(0, freedom - 1, 2):
        total += term
        term *= cosine_squared * (k + 1) / (k + 2)
    return math.sin(angle) * total
