"""What a policy is compared with in SUMO, and what is known of it."""

import numpy as np
import pytest

from kit.errors import UsageError
from kit.traffic.controllers import MaxPressure
from kit.traffic.seeds import selection_seeds, training_seeds
from kit.traffic.sumo_baselines import PhasePlan, SignalProgram, webster_program
from kit.traffic.sumo_scenario import SumoScenario
from tests.traffic.sumo_installed import needs_sumo

pytestmark = needs_sumo

SHORT = 30


@pytest.fixture
def scenario():
    """The first minutes of cologne1's days."""
    return SumoScenario("cologne1", horizon_decisions=SHORT)


def test_another_seed_is_another_day(scenario):
    """Two seeds differ in how many vehicles want to depart, not only in the drivers' noise."""
    vehicles = [r.vehicles for r in scenario.run_episodes(MaxPressure(), training_seeds(4))]
    assert len(set(vehicles)) == 4


def test_program_that_sumo_runs_is_the_nets_own(scenario):
    """The native program keeps the net's 90 s cycle; giving it other greens changes what happens."""
    network = scenario.network()
    native, other = SignalProgram("native", network.native_green_s), SignalProgram("other", (60, 5, 10, 5))
    results = [scenario.run_episodes(c, training_seeds(1))[0] for c in (native, other)]
    assert results[0].delay_s_per_vehicle < results[1].delay_s_per_vehicle
    with pytest.raises(UsageError, match="inside SUMO"):
        native.act(np.zeros(1), None)


def test_webster_gives_more_green_to_more_flow(scenario):
    """Webster's greens are within its cycle, and the through phases get more than the left turns."""
    whole = SumoScenario("cologne1")
    program = webster_program(whole.network(), whole.spec(0), training_seeds(2))
    assert min(program.green_s[0], program.green_s[2]) > max(program.green_s[1], program.green_s[3]) >= 5
    assert sum(program.green_s) + 4 * 5 <= 125


def test_plan_cycles_through_its_phases():
    """A plan shows each phase for its intervals, leaves out those with none, and starts over."""
    assert PhasePlan((2, 0, 1, 0)).actions(7) == [0, 0, 2, 0, 0, 2, 0]
    assert PhasePlan((2, 0, 1, 0), "best fixed").name == "best fixed 30/0/15/0"
    with pytest.raises(UsageError):
        PhasePlan((0, 0))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "low", "high"), [("cologne1", 40, 46), ("ingolstadt1", 26, 34)])
def test_native_program_matches_the_known_delay(name, low, high):
    """With the file's own trips the native program has the delay known from sumo-rl (cologne1: 43.3)."""
    scenario = SumoScenario(name, perturb=False)
    program = SignalProgram("native", scenario.network().native_green_s)
    delays = [r.delay_s_per_vehicle for r in scenario.run_episodes(program, selection_seeds(4))]
    assert low < np.mean(delays) < high


@pytest.mark.slow
def test_search_finds_the_known_best_plan():
    """With the file's own trips the search finds a plan of about 28 s/veh in cologne1, the same every time."""
    scenario = SumoScenario("cologne1", perturb=False)
    plans = [scenario.baselines(training_seeds(2))[1] for _ in range(2)]
    assert plans[0].name == plans[1].name
    assert np.mean([r.delay_s_per_vehicle for r in scenario.run_episodes(plans[0], selection_seeds(4))]) < 30


@pytest.mark.slow
def test_whole_hours_are_reproducible():
    """Twelve whole hours, played twice each, are identical."""
    scenario = SumoScenario("cologne1")
    seeds = selection_seeds(12)
    assert scenario.run_episodes(MaxPressure(), seeds) == scenario.run_episodes(MaxPressure(), seeds)
