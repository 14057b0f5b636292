"""Pace: how far the stretches of a quick test differ in what a unit of work takes.

On a machine whose cores are shared with others that it cannot see (virtual machines on one host, a processor that is
too hot) the pace changes by the second and also by the minute. A quick test of seconds sees the one; how far the run's
mean may then be from the quick test's is at most guessed from it: as far as single stretches are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kit.timing.drift import drift
from kit.timing.interval import LEVEL
from kit.timing.plan import RunPlan

FEWEST = 8
"""Stretches that it takes to say how far they differ."""
SHARE = 0.15
SHORTEST_S = 0.02
"""A stretch with less of a phase says more of the system's timers than of the machine's pace."""

Windows = Sequence[Mapping[str, Sequence[float]]]


def reach(windows: Windows, plan: RunPlan) -> float:
    """Return the factor, up and down, within which 90 % of the stretches lie of the work that costs alike; 1: unknown.

    Of 13 stretches that is the twelfth, by how far the log of its seconds a unit is from the mean pace; of that phase
    with at least SHARE of the time in which it is least, since units of another may differ for reasons of their own, as
    the steps of an episode do. Where a drift is told (``kit.timing.drift``) each half of the stretches is held against
    its own pace.
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
    counted = [(units, seconds) for units, seconds in accounts if units > 0 and seconds >= SHORTEST_S]
    if len(counted) < FEWEST:
        return None
    half = len(counted) // 2 if drift(windows, name) is not None else len(counted)
    apart = sorted([*_apart(counted[:half]), *_apart(counted[half:])])
    return math.exp(apart[math.ceil(LEVEL * len(apart)) - 1])


def _apart(counted: Sequence[tuple[float, float]]) -> list[float]:
    """Return how far the pace of each stretch is from that of all of them, as logs."""
    if not counted:
        return []
    pace = math.fsum(seconds for _, seconds in counted) / math.fsum(units for units, _ in counted)
    return [abs(math.log(seconds / units / pace)) for units, seconds in counted]
