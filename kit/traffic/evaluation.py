"""Comparing controllers fairly: same days, same horizon, every vehicle counted, paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kit.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from kit.traffic.controllers import Controller
    from kit.traffic.scenarios import Scenario


@dataclass(frozen=True)
class EpisodeResult:
    """One controller on one day.

    Attributes:
        controller: its name.
        seed: the day.
        delay_s_per_vehicle: total delay up to the horizon (on the road, and waiting to enter it) over
            ``vehicles``.
        mean_queue_veh: mean over the decisions of ``queue_veh``.
        vehicles: how many wanted to enter by the horizon, whether they could or not.
        unfinished: how many of these had not left by the horizon.
        reward: sum of the rewards of the episode, in the reward asked for.
        queue_veh: queue at the end of each decision interval, vehicles.
        delay_s: delay accrued in each decision interval, vehicle-seconds.
    """

    controller: str
    seed: int
    delay_s_per_vehicle: float
    mean_queue_veh: float
    vehicles: float
    unfinished: float
    reward: float
    queue_veh: tuple[float, ...]
    delay_s: tuple[float, ...]


@dataclass(frozen=True)
class PairedDifference:
    """Mean over paired days of delay(controller) − delay(baseline), s/veh, with its 95 % t-interval.

    Negative is better than the baseline; the interval is clear of zero when ``high_s < 0`` or ``low_s > 0``.
    """

    controller: str
    baseline: str
    mean_s: float
    low_s: float
    high_s: float
    n: int


def evaluate(
    scenario: Scenario, controllers: Sequence[Controller], seeds: Sequence[int], reward: str = "delay"
) -> list[EpisodeResult]:
    """Play every day with every controller and return the results, controller by controller, days in order.

    Fresh simulations are made for it; the training environment is never touched.

    Args:
        scenario: where.
        controllers: who; their names must differ.
        seeds: which days.
        reward: the reward to add up beside the delay.

    Raises:
        UsageError: two controllers share a name.
    """
    names = [c.name for c in controllers]
    if len(set(names)) < len(names):
        raise UsageError(f"Controllers must have different names, not {names}.")
    return [result for c in controllers for result in scenario.run_episodes(c, seeds, reward)]


def paired_differences(results: Sequence[EpisodeResult], baseline: str) -> list[PairedDifference]:
    """Compare every other controller with ``baseline`` on the days that both played.

    Args:
        results: what ``evaluate`` returned.
        baseline: the name of the controller to compare with.

    Raises:
        UnknownNameError: no result is of that baseline.
        UsageError: a controller shares fewer than two days with the baseline.
    """
    delays: dict[str, dict[int, float]] = {}
    for r in results:
        delays.setdefault(r.controller, {})[r.seed] = r.delay_s_per_vehicle
    if baseline not in delays:
        raise UnknownNameError("controller", baseline, delays)
    return [_difference(name, baseline, delays) for name in delays if name != baseline]


def _difference(name: str, baseline: str, delays: dict[str, dict[int, float]]) -> PairedDifference:
    seeds = sorted(delays[name].keys() & delays[baseline].keys())
    if len(seeds) < 2:
        raise UsageError(
            f"{name!r} and {baseline!r} share {len(seeds)} days; an interval takes at least two."
        )
    values = np.array([delays[name][s] - delays[baseline][s] for s in seeds])
    mean = float(values.mean())
    half = t_quantile(0.975, len(seeds) - 1) * float(values.std(ddof=1)) / math.sqrt(len(seeds))
    return PairedDifference(name, baseline, mean, mean - half, mean + half, len(seeds))


def t_quantile(p: float, df: int) -> float:
    """Return the p-quantile of Student's t with ``df`` degrees of freedom, for 0.5 ≤ p < 1.

    Bisection on the distribution function, which for whole degrees of freedom is a finite sum of powers of
    cos θ with θ = arctan(t/√df) (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).

    Raises:
        UsageError: p or df is out of range.
    """
    if not 0.5 <= p < 1 or df < 1:
        raise UsageError(f"t_quantile takes 0.5 <= p < 1 and df >= 1, not p={p}, df={df}.")
    low, high = 0.0, math.pi / 2  # in θ, where the function is bounded
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + _t_central(middle, df)) / 2 < p else (low, middle)
    return math.sqrt(df) * math.tan((low + high) / 2)


def _t_central(theta: float, df: int) -> float:
    """Probability that |t| stays below √df·tan θ."""
    cos, sin = math.cos(theta), math.sin(theta)
    odd = df % 2
    term, total = (cos if odd else 1.0), 0.0
    for k in range(df // 2):
        total += term
        term *= cos * cos * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    return 2 / math.pi * (theta + sin * total) if odd else sin * total
