"""Controllers, and Webster's formulae."""

import numpy as np
import pytest

from kit.errors import UsageError
from kit.traffic.controllers import FixedTime, MaxPressure, Policy, RandomPhase, act_together, copies_of
from kit.traffic.network import Intersection
from kit.traffic.view import SignalView
from kit.traffic.webster import uniform_delay_s, webster, webster_durations_s

OBSERVATION = np.zeros(47, dtype=np.float32)


def view(time_s=0.0, phase=0, green_s=20.0, pressures=(0.0, 0.0)):
    """Return a view of a signal."""
    return SignalView(time_s, phase, green_s, len(pressures), np.array(pressures))


def test_a_timer_cycles_through_its_phases():
    """Each phase is asked for during its seconds, cycle after cycle."""
    timer = FixedTime((30, 15))
    shown = [timer.act(OBSERVATION, view(time_s)) for time_s in range(0, 180, 15)]
    assert shown == [0, 0, 1] * 4
    assert timer.name == "fixed 30/15"
    finer = FixedTime((24, 23))
    assert [finer.act(OBSERVATION, view(t)) for t in (0, 23, 24, 46, 47, 71)] == [0, 0, 1, 1, 0, 1]
    with pytest.raises(UsageError, match="positive"):
        FixedTime((30, 0))


def test_max_pressure_shows_the_phase_of_largest_pressure():
    """The larger pressure wins, unless minimum green or hysteresis keep the present phase."""
    plain = MaxPressure()
    assert plain.act(OBSERVATION, view(phase=0, pressures=(3.0, 4.0))) == 1
    assert plain.act(OBSERVATION, view(phase=0, pressures=(4.0, 4.0))) == 0
    assert plain.act(OBSERVATION, view(phase=1, pressures=(4.0, 4.0))) == 1
    assert MaxPressure(min_green_s=25).act(OBSERVATION, view(green_s=20, pressures=(0.0, 9.0))) == 0
    assert MaxPressure(hysteresis_veh=2).act(OBSERVATION, view(pressures=(3.0, 5.0))) == 0
    assert MaxPressure(hysteresis_veh=2).act(OBSERVATION, view(pressures=(3.0, 5.1))) == 1


def test_chance_replays_after_a_reset():
    """A reset random controller draws the same phases again, and all of them."""
    controller = RandomPhase(seed=4)
    first = [controller.act(OBSERVATION, view()) for _ in range(50)]
    controller.reset()
    assert [controller.act(OBSERVATION, view()) for _ in range(50)] == first
    assert set(first) == {0, 1}


def test_a_policy_predicts_once_for_the_whole_batch():
    """In lockstep a policy sees all observations at once; alone it sees a batch of one."""
    seen = []

    def predict(observations):
        seen.append(observations.shape)
        return (observations[:, 0] > 0.5).astype(int)

    policy = Policy("net", predict)
    observations = np.array([[0.0, 1.0], [1.0, 0.0], [0.9, 0.0]])
    copies = copies_of(policy, 3)
    assert act_together(copies, observations, [view()] * 3).tolist() == [0, 1, 1]
    assert policy.act(observations[1], view()) == 1
    assert seen == [(3, 2), (1, 2)]


def test_copies_do_not_share_what_they_remember():
    """Each episode in lockstep has a controller of its own."""
    copies = copies_of(RandomPhase(seed=1), 2)
    one = [copies[0].act(OBSERVATION, view()) for _ in range(20)]
    assert [copies[1].act(OBSERVATION, view()) for _ in range(20)] == one


def test_websters_cycle_is_his_formula():
    """With 600 veh/h on all four, C = (1.5·8 + 5)/(1 − Y) = 48 s, split evenly."""
    durations_s = webster_durations_s(Intersection(), [600] * 4)
    assert sum(durations_s) == pytest.approx((1.5 * 8 + 5) / (1 - 1200 / 1853), abs=1)
    assert durations_s[0] == durations_s[1]
    timer = webster(Intersection(), [600] * 4)
    assert timer.interval_s == 1.0
    assert timer.name == "webster 24/24"


def test_websters_splits_follow_the_critical_flows():
    """Effective green is split as the critical flow ratios; very light and heavy traffic stay in bounds."""
    north, east = webster_durations_s(Intersection(), [900, 300, 500, 100])
    assert (north - 4) / (east - 4) == pytest.approx(3, rel=0.05)
    assert sum(webster_durations_s(Intersection(), [10, 10, 10, 10])) == 30
    assert sum(webster_durations_s(Intersection(), [1500] * 4)) == 120
    assert webster_durations_s(Intersection(), [0] * 4) == (15, 15)
    assert min(webster_durations_s(Intersection(), [900, 0, 900, 0])) == 9  # lost time and minimum green


def test_uniform_delay_against_a_hand_calculation():
    """C = 60, g = 26, q/s = 1/3: 60·(34/60)²/(2·(2/3)) = 14.45 s; at capacity there is no formula."""
    assert uniform_delay_s(60, 26, 600 / 3600, 1800 / 3600) == pytest.approx(14.45, abs=0.005)
    with pytest.raises(UsageError, match="capacity"):
        uniform_delay_s(60, 26, 900 / 3600, 1800 / 3600)
