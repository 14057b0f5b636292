"""The compiled core against the physics, against NumPy, and against itself."""

import numpy as np
import pytest

from benchmarks.numpy_model import NumpyModel
from kit.errors import UnknownNameError
from kit.traffic.demand import Demand, profile
from kit.traffic.network import Intersection
from kit.traffic.simulation import Simulation
from kit.traffic.webster import uniform_delay_s

HOUR_S = 3600.0


def steady(rates_veh_h, decisions=240):
    """Return a demand without chance: these rates at N, E, S, W all the time."""
    return Demand("steady", np.tile(rates_veh_h, (decisions, 1)).astype(float), poisson=False)


def random_actions(decisions, n, phases=2, seed=0):
    """Return (decisions, n) phases, drawn anew at each decision."""
    return np.random.default_rng(seed).integers(0, phases, (decisions, n))


CROWDED = Intersection(
    cells=20,
    turning=((0.0, 0.8, 0.1, 0.1), (0.1, 0.0, 0.1, 0.8), (0.1, 0.8, 0.0, 0.1), (0.1, 0.1, 0.8, 0.0)),
    phases=((0, 1, 2, 3), (0, 2), (1, 3)),
)
"""All approaches at once into few exits: the exits fill up and hold back whole approaches."""


@pytest.mark.parametrize("rate_veh_h", [600, 1700])
def test_vehicles_are_conserved(rate_veh_h):
    """Vehicles that arrived are on a road, in an entry queue or gone, to 1e-9, whatever jams."""
    for intersection in (Intersection(), CROWDED):
        s = Simulation(3, intersection, Demand("d", np.full((240, 4), float(rate_veh_h))))
        s.reset([1, 2, 3])
        for actions in random_actions(240, 3, intersection.n_phases):
            s.step(actions)
            missing = s.arrived_veh - s.left_veh - s.road_veh.sum(axis=1) - s.entry_veh.sum(axis=1)
            assert np.abs(missing).max() < 1e-9
            assert s.cell_veh.min() >= 0
            assert s.cell_veh.max() <= intersection.jam_veh_m * intersection.cell_m + 1e-9
        assert s.arrived_veh.min() > rate_veh_h * 3


@pytest.mark.parametrize(("name", "intersection"), [("varying", Intersection()), ("balanced", CROWDED)])
def test_the_core_is_the_numpy_model(name, intersection):
    """An hour of random phases has the cells, queues, delays and observations of the NumPy model."""
    rates = profile(name).rates_veh_h * (1 if name == "varying" else 2)
    demand = Demand(name, rates)
    seeds = [5, 6, 7]
    core, reference = Simulation(3, intersection, demand), NumpyModel(seeds, intersection, demand)
    core.reset(seeds)
    for actions in random_actions(240, 3, intersection.n_phases):
        core.step(actions)
        observations, delays_s = reference.step(actions)
        assert np.abs(core.cell_veh - reference.cells).max() < 1e-9
        assert np.abs(core.entry_veh - reference.queues).max() < 1e-9
        assert np.abs(core.queues_veh - reference.queue_veh).max() < 1e-9
        assert np.abs(core.delays_s - delays_s).max() < 1e-9 * max(1.0, delays_s.max())
        assert np.abs(core.observations - observations).max() < 1e-6  # float32
    assert np.allclose(core.left_veh, reference.left_veh, rtol=1e-12, atol=1e-9)
    assert core.delay_s.min() > 1000


@pytest.mark.parametrize("n", [2, 5, 33])
def test_a_batch_is_so_many_singles(n):
    """Each intersection of a batch has, bit for bit, the hour it would have alone."""
    actions = random_actions(240, n)
    batch = Simulation(n, Intersection(), profile("varying"))
    batch.reset(range(n))
    singles = [Simulation(1, Intersection(), profile("varying")) for _ in range(n)]
    for seed, single in enumerate(singles):
        single.reset([seed])
    for row in actions:
        batch.step(row)
        for b, single in enumerate(singles):
            single.step(row[b : b + 1])
            assert np.array_equal(single.observations[0], batch.observations[b])
            assert single.rewards[0] == batch.rewards[b]
    for b, single in enumerate(singles):
        assert np.array_equal(single.cell_veh[0], batch.cell_veh[b])
        assert single.delay_s[0] == batch.delay_s[b]


def test_small_steps_make_the_same_hour():
    """Advancing half a second at a time gives the cells and delays of advancing whole intervals."""
    whole, parts = (Simulation(2, Intersection(), profile("balanced")) for _ in range(2))
    whole.reset([1, 2])
    parts.reset([1, 2])
    for actions in random_actions(40, 2):
        whole.step(actions)
        for _ in range(30):
            parts.step(actions, 1)
        assert np.array_equal(whole.cell_veh, parts.cell_veh)
        assert np.allclose(whole.delays_s, parts.delays_s, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("half_cycle_s", [30, 60])
def test_fixed_time_has_websters_uniform_delay(half_cycle_s):
    """Below capacity, fixed 30/30 and 60/60 delay as Webster's C(1−λ)²/(2(1−λx)) says, within 5 %.

    The horizon cuts off vehicles on their way: those count that could be at the stop line by then.
    """
    i, flow_veh_h = Intersection(), 600
    s = Simulation(1, i, steady([flow_veh_h] * 4))
    s.reset([0])
    for decision in range(240):
        s.step(np.array([decision * 15 // half_cycle_s % 2]))
    at_stop_line = 4 * flow_veh_h / HOUR_S * (HOUR_S - i.cells * i.cell_m / i.free_flow_m_s)
    expected_s = uniform_delay_s(
        2 * half_cycle_s, half_cycle_s - i.lost_s, flow_veh_h / HOUR_S, i.saturation_veh_s
    )
    assert s.delay_s[0] / at_stop_line == pytest.approx(expected_s, rel=0.05)


def test_a_jam_grows_at_the_lwr_shock_speed():
    """The tail of a queue at a red light runs upstream at [q]/[ρ], within 2 %."""
    i, flow_veh_s = Intersection(), 600 / HOUR_S
    s = Simulation(1, i, steady([600, 0, 0, 0]))
    s.reset([0])
    free_density = flow_veh_s / i.free_flow_m_s
    middle = (free_density + i.jam_veh_m) / 2 * i.cell_m
    tail_m = []
    for _ in range(36):  # east and west are green, so north's first vehicle stands after about a minute
        s.step(np.array([1]))
        road = s.cell_veh[0, 0]
        k = int(
            np.argmax(road > middle)
        )  # first cell of the jam; the tail lies between it and the one before
        tail_m.append((k - (road[k] - middle) / (road[k] - road[k - 1])) * i.cell_m)
    speed_m_s = (tail_m[-1] - tail_m[11]) / ((35 - 11) * i.interval_s)
    assert speed_m_s == pytest.approx(-flow_veh_s / (i.jam_veh_m - free_density), rel=0.02)


def test_a_full_exit_holds_back_whole_approaches():
    """An exit that two approaches overfill takes its saturation flow; each sends on only what finds room."""
    i = Intersection(turning=((0, 1, 0, 0), (0, 0, 0, 1), (0, 1, 0, 0), (0, 1, 0, 0)))
    s = Simulation(1, i, steady([1500, 0, 700, 0]))
    s.reset([0])
    for _ in range(200):
        s.step(np.array([0]))
    before = s.left_veh[0]
    s.step(np.array([0]))
    assert s.left_veh[0] - before == pytest.approx(i.saturation_veh_s * i.interval_s, rel=1e-6)
    assert s.road_veh[0, 0] > 30  # north wants 1,500 veh/h and gets less than that


def test_delay_is_time_spent_less_free_flow_time():
    """Once all have left, the delay is the time that vehicles spent less 144 s (2 km at 50 km/h) for each."""
    i = Intersection()
    rates = np.zeros((60, 4))
    rates[:20] = [1500, 900, 300, 700]
    s = Simulation(1, i, Demand("pulse", rates, poisson=False))
    s.reset([0])
    spent_s = 0.0
    for step in range(60 * 30):
        on_roads = s.road_veh[0].sum()
        s.step(np.array([step // 60 % 2]), 1)
        spent_s += (on_roads + s.entry_veh[0].sum()) * i.dt_s
    assert s.road_veh[0].sum() < 1e-6
    free_s = 2 * i.cells * i.cell_m / i.free_flow_m_s
    assert s.delay_s[0] == pytest.approx(spent_s - s.arrived_veh[0] * free_s, rel=1e-6)
    assert s.delay_s[0] > 1000


def test_free_traffic_has_no_delay():
    """A few vehicles that never meet a red light or each other are not delayed and do not queue."""
    s = Simulation(1, Intersection(), steady([300, 0, 300, 0]))
    s.reset([0])
    for _ in range(240):
        s.step(np.array([0]))
        assert abs(s.delays_s[0]) < 1e-8
        assert s.queues_veh[0] == 0


def test_a_change_of_phase_costs_its_lost_time():
    """Nothing crosses in the 4 s after a change; then the new phase discharges at saturation flow."""
    s = Simulation(1, Intersection(), steady([900, 900, 900, 900]))
    s.reset([0])
    for decision in range(30):
        s.step(np.array([decision // 2 % 2]))
    s.step(np.array([1 - s.views()[0].phase]), 8)
    before = s.road_veh[0, :4].sum() + s.entry_veh[0].sum()
    s.step(np.array([s.views()[0].phase]), 2)
    arrived = 2 * 4 * 900 / HOUR_S * 0.5
    crossed = before + arrived - s.road_veh[0, :4].sum() - s.entry_veh[0].sum()
    assert crossed == pytest.approx(2 * 2 * Intersection().saturation_veh_s * 0.5, rel=1e-6)
    assert s.views()[0].elapsed_green_s == 1.0


def test_minimum_green_is_kept():
    """Asked for another phase within the minimum green, the signal keeps the present one."""
    s = Simulation(1, Intersection(min_green_s=12.0), profile("balanced"))
    s.reset([0])
    shown = []
    for decision in range(6):  # after a change a phase has 11 s of green at the next decision
        s.step(np.array([(decision + 1) % 2]))
        shown.append(s.views()[0].phase)
    assert shown == [1, 1, 1, 0, 0, 0]


def test_pressure_counts_the_last_and_first_200_m():
    """Pressure is the vehicles on the last 200 m of what is served less their share of those behind."""
    s = Simulation(1, Intersection(), profile("varying"))
    s.reset([3])
    for actions in random_actions(90, 1):
        s.step(actions)
    cells, turning = s.cell_veh[0], np.array(Intersection().turning)
    before, behind = cells[:4, -20:].sum(axis=1), cells[4:, :20].sum(axis=1)
    expected = [sum(before[i] - turning[i] @ behind for i in phase) for phase in ((0, 2), (1, 3))]
    assert s.views()[0].pressures == pytest.approx(expected, rel=1e-12)


def test_rewards_are_what_their_table_says():
    """Each reward is the stated function of the interval's delay, queue and pressures."""
    runs = {}
    for name in ("queue", "delay", "pressure", "diff-waiting-time"):
        s = Simulation(1, Intersection(), profile("balanced"), reward=name)
        s.reset([1])
        rows = []
        for actions in random_actions(60, 1):
            s.step(actions)
            rows.append((s.rewards[0], s.delays_s[0], s.queues_veh[0], s.views()[0].pressures.sum()))
        runs[name] = np.array(rows).T
    reward, delay_s, queue_veh, pressure_veh = runs["queue"]
    assert np.allclose(reward, -queue_veh / 20)
    assert np.allclose(runs["delay"][0], -delay_s / 300)
    assert np.allclose(runs["pressure"][0], -pressure_veh / 20)
    assert np.allclose(runs["diff-waiting-time"][0], -np.diff(delay_s, prepend=0) / 300)
    with pytest.raises(UnknownNameError, match="Did you mean 'queue'"):
        Simulation(1, Intersection(), profile("balanced"), reward="queues")
