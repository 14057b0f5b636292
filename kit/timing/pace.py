"""Pace: how far the stretches of a quick test differ in what a unit of work takes.

On a machine whose cores are shared with others that it cannot see (virtual machines on one host, a processor that is
too hot) the pace changes by the second and also by the minute. A quick test of seconds sees the one; how far the run's
mean may then be from the quick test's is at most guessed from it: as far as single stretches are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from kit.timing.drift import drift
from kit.timing.interval import LEVEL
from kit.timing.plan import RunPlan

FEWEST = 8
"""Stretches that it takes to say how far they differ."""
SHARE = 0.15
SHORTEST_S = 0.02
"""A stretch with less of a phase says more of the system's timers than of the machine's pace."""
_MAD_TO_SD = 1.4826
_Z = statistics.NormalDist().inv_cdf((1.0 + LEVEL) / 2.0)

Windows = Sequence[Mapping[str, Sequence[float]]]


def reach(windows: Windows, plan: RunPlan) -> float:
    """Return the factor, up and down, within which 90 % of the stretches lie of the work that costs alike; 1: unknown.

    That is exp(1.645 · 1.4826 · MAD of the log seconds a unit), of that phase with at least SHARE of the time in which
    it is least: units of another may differ for reasons of their own, as the steps of an episode do. Where a drift is
    told (``kit.timing.drift``) each half of the stretches is held against its own median.
    """
    by_steps = [*plan.rates, *(name for name, phase in plan.phases.items() if phase.per_step)]
    took_s = {name: math.fsum(window[name][1] for window in windows if name in window) for name in by_steps}
    large = [
        name for name, seconds in took_s.items() if seconds > 0 and seconds >= SHARE * sum(took_s.values())
    ]
    found = [_reach(windows, name) for name in large]
    return min((one for one in found if one is not None), default=1.0)


def _reach(windows: Windows, name: str) -> float | None:
    accounts = [window[name] for window in windows if name in window]
    means = [math.log(seconds / units) for units, seconds in accounts if units > 0 and seconds >= SHORTEST_S]
    if len(means) < FEWEST:
        return None
    half = len(means) // 2 if drift(windows, name) is not None else len(means)
    parts = [part for part in (means[:half], means[half:]) if part]
    apart = [abs(mean - statistics.median(part)) for part in parts for mean in part]
    return math.exp(_Z * _MAD_TO_SD * statistics.median(apart))
