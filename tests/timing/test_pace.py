"""How far the pace of a quick test scatters, against numbers worked out by hand, and what the interval makes of it."""

import math
from dataclasses import replace

import pytest

from kit.timing.forecast import bounds
from kit.timing.interval import Interval
from kit.timing.pace import FEWEST, reach
from kit.timing.plan import RunPlanner
from tests.timing.test_forecast import MEASURED

PLANNER = RunPlanner()
PLANNER.units("rollout", per_step=1.0)
PLANNER.rate("update", of="rollout")
PLANNER.units("evaluate", fixed=2.0)
PLAN = PLANNER.plan
NARROW = Interval(1.05, 0.9, calibrated=True, pairs=20)


def stretches(**means):
    """As many as there are means of each phase, with ten units in each."""
    return [
        {name: (10.0, 10.0 * mean) for name, mean in zip(means, row, strict=True)}
        for row in zip(*means.values(), strict=True)
    ]


def test_it_is_what_nine_of_ten_stretches_keep_within():
    """Of ten the ninth: eight at the pace, one 1.2 times it, one slower still; with their mean pace of 1.05."""
    means = [1.0] * 8 + [1.2, 1.3]
    assert reach(stretches(update=means), PLAN) == pytest.approx(1.2 / 1.05)


def test_one_slow_stretch_is_no_unsteady_machine():
    """A single stretch of ten in which something else happened is the tenth that does not count."""
    assert reach(stretches(update=[1.0] * 9 + [1.5]), PLAN) == pytest.approx(1.05)


def test_units_that_differ_for_reasons_of_their_own_do_not_count_beside_others_that_do_not():
    """Steps of an episode of four times the cost beside steady gradient steps; a phase of little time says nothing."""
    wild, steady = [1.0, 4.0] * 5, [2.0] * 10
    assert reach(stretches(rollout=wild, update=steady), PLAN) == 1.0
    assert reach(stretches(rollout=wild, update=[0.01] * 10), PLAN) > 2.0
    assert reach(stretches(rollout=wild, evaluate=steady), PLAN) > 2.0  # which does not come with the steps


def test_a_drift_that_is_told_is_no_scatter():
    """Three times as long in the later half, and steady in each: the drift says all there is to say."""
    assert reach(stretches(update=[1.0] * 6 + [3.0] * 6), PLAN) == 1.0


def test_stretches_of_a_few_milliseconds_say_nothing():
    """Ten units of 1 ms by the timers of the system are no pace; of 10 ms they are."""
    assert reach(stretches(update=[0.001, 0.0015] * 6), PLAN) == 1.0
    assert reach(stretches(update=[0.01, 0.015] * 6), PLAN) > 1.2


def test_too_few_stretches_say_nothing():
    """Seven do not, nor does a quick test without any."""
    means = [1.0, 2.0] * FEWEST
    assert reach(stretches(update=means[: FEWEST - 1]), PLAN) == 1.0
    assert reach(stretches(update=means[:FEWEST]), PLAN) == pytest.approx(1.5)
    assert reach([], PLAN) == 1.0


def test_an_interval_is_at_least_as_wide_as_the_pace_scatters():
    """Bounds go from the forecast by the larger of the two factors; of steady work they are the history's."""
    unsteady = replace(MEASURED, plan=PLAN, windows=stretches(update=[math.exp(0.1), math.exp(-0.1)] * 4))
    steady = replace(unsteady, windows=stretches(update=[1.0] * 8))
    low_s, high_s = bounds(steady, 1_000, NARROW)
    assert high_s / low_s == pytest.approx(1.05**2)
    low_s, high_s = bounds(unsteady, 1_000, NARROW)
    assert high_s / low_s == pytest.approx(reach(unsteady.windows, PLAN) ** 2)
