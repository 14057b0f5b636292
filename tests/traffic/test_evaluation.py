"""Comparison of controllers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UnknownNameError, UsageError
from kit.traffic.controllers import FixedTime, MaxPressure, Policy
from kit.traffic.evaluation import EpisodeResult, evaluate, paired_differences, t_quantile
from kit.traffic.scenarios import load_scenario
from kit.traffic.seeds import selection_seeds


def result(controller, seed, delay_s):
    """Return a result with this delay."""
    return EpisodeResult(controller, seed, delay_s, 0.0, 1.0, 0.0, 0.0, (), ())


@pytest.mark.parametrize(
    ("p", "df", "tabulated"),
    [
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 9, 2.262),
        (0.975, 19, 2.093),
        (0.975, 100, 1.984),
        (0.95, 10, 1.812),
        (0.995, 5, 4.032),
        (0.5, 7, 0.0),
    ],
)
def test_t_quantiles_are_the_tabulated_ones(p, df, tabulated):
    """Student's t as in printed tables, even and odd degrees of freedom, to three decimals."""
    assert t_quantile(p, df) == pytest.approx(tabulated, abs=6e-4)


def test_t_quantiles_out_of_range_are_refused():
    """Probabilities below one half and no degrees of freedom are errors."""
    for p, df in ((0.4, 5), (1.0, 5), (0.9, 0)):
        with pytest.raises(UsageError):
            t_quantile(p, df)


def test_a_difference_against_a_hand_calculation():
    """Differences 1, 2, 3: mean 2, half width 4.303·1/√3."""
    results = [result("base", s, 10.0) for s in (1, 2, 3)] + [result("new", s, 10.0 + s) for s in (1, 2, 3)]
    (difference,) = paired_differences(results, "base")
    assert (difference.controller, difference.baseline, difference.n) == ("new", "base", 3)
    assert difference.mean_s == pytest.approx(2)
    assert difference.high_s - difference.mean_s == pytest.approx(4.3027 / np.sqrt(3), abs=1e-3)
    assert difference.mean_s - difference.low_s == pytest.approx(4.3027 / np.sqrt(3), abs=1e-3)


def test_only_shared_days_are_paired():
    """A day that one of the two did not play does not count; one shared day is too few."""
    results = [result("base", s, float(s)) for s in (1, 2, 3)] + [
        result("new", s, s + 1.0) for s in (2, 3, 9)
    ]
    (difference,) = paired_differences(results, "base")
    assert difference.n == 2
    assert difference.mean_s == pytest.approx(1)
    with pytest.raises(UsageError, match="share 1 days"):
        paired_differences([result("a", 1, 1.0), result("b", 1, 1.0)], "a")
    with pytest.raises(UnknownNameError, match="Did you mean 'base'"):
        paired_differences(results, "bass")


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_the_interval_holds_its_mean(differences):
    """Whatever the data, low ≤ mean ≤ high, and swapping the two turns the interval round."""
    results = [result("a", s, 0.0) for s in range(len(differences))]
    results += [result("b", s, d) for s, d in enumerate(differences)]
    (there,), (back,) = paired_differences(results, "a"), paired_differences(results, "b")
    assert there.low_s <= there.mean_s <= there.high_s
    assert back.low_s == pytest.approx(-there.high_s, abs=1e-9)


def test_every_controller_plays_the_same_days():
    """Results come controller by controller, days in order, with the same vehicles on a day for all."""
    scenario = load_scenario("balanced")
    controllers = [FixedTime((30, 30)), MaxPressure(), Policy("north", lambda o: np.zeros(len(o), dtype=int))]
    results = evaluate(scenario, controllers, selection_seeds(3))
    assert [(r.controller, r.seed) for r in results] == [
        (c.name, s) for c in controllers for s in selection_seeds(3)
    ]
    vehicles = np.array([r.vehicles for r in results]).reshape(3, 3)
    assert np.ptp(vehicles, axis=0).max() == 0
    assert np.ptp(vehicles[0]) > 0
    with pytest.raises(UsageError, match="different names"):
        evaluate(scenario, [MaxPressure(), MaxPressure()], selection_seeds(2))


def test_results_do_not_depend_on_who_else_is_evaluated():
    """A day's result is the same alone and in a batch, and counts everyone who wanted to enter."""
    scenario = load_scenario("varying")
    together = scenario.run_episodes(MaxPressure(), selection_seeds(4))
    assert scenario.run_episodes(MaxPressure(), selection_seeds(4)[2:3]) == together[2:3]
    r = together[0]
    assert len(r.queue_veh) == len(r.delay_s) == 240
    assert r.delay_s_per_vehicle == pytest.approx(sum(r.delay_s) / r.vehicles)
    assert r.mean_queue_veh == pytest.approx(np.mean(r.queue_veh))
    assert r.reward == pytest.approx(-sum(r.delay_s) / 300)
    blocked = scenario.run_episodes(
        Policy("north", lambda o: np.zeros(len(o), dtype=int)), selection_seeds(1)
    )[0]
    assert blocked.vehicles == r.vehicles
    assert blocked.unfinished > 1000
    assert blocked.delay_s_per_vehicle > 10 * r.delay_s_per_vehicle
