"""Scenarios by name, and the baselines of the embedded ones."""

import subprocess
import sys

import numpy as np
import pytest

from kit.errors import UnknownNameError, UsageError
from kit.traffic.controllers import FixedTime, RandomPhase
from kit.traffic.demand import Demand
from kit.traffic.embedded import EmbeddedScenario
from kit.traffic.evaluation import evaluate
from kit.traffic.scenarios import load_scenario
from kit.traffic.seeds import selection_seeds, training_seeds


@pytest.mark.parametrize("name", ["balanced", "3to1", "varying"])
def test_a_named_scenario_is_an_hour_of_15_s_decisions(name):
    """Embedded scenarios have 240 decisions of 15 s, and their environments know it."""
    scenario = load_scenario(name)
    assert (scenario.name, scenario.kind) == (name, "embedded")
    assert (scenario.horizon_decisions, scenario.interval_s) == (240, 15.0)
    env, batch = scenario.make_env(1, "queue"), scenario.make_vec_env(2, 1, "queue")
    assert env.observation_space == batch.observation_space
    assert env.action_space == batch.action_space


def test_unknown_names_are_answered_with_the_legal_ones():
    """A misspelt scenario is named, with the nearest and all legal ones."""
    with pytest.raises(UnknownNameError, match=r"Did you mean 'cologne1'.*csv.*balanced"):
        load_scenario("colonge1")


def test_a_csv_path_is_a_scenario(tmp_path):
    """A file of counts becomes an embedded scenario named after it; a missing one is an error."""
    path = tmp_path / "my_junction.csv"
    rows = [f"{t},{a},100" for t in (0, 900, 1800, 2700) for a in "NESW"]
    path.write_text("\n".join(["time,approach,vehicles", *rows]))
    scenario = load_scenario(path)
    assert scenario.name == "my_junction"
    assert scenario.run_episodes(FixedTime((30, 30)), [0])[0].vehicles == pytest.approx(1600, rel=0.15)
    with pytest.raises(UsageError, match="cannot be read"):
        load_scenario(str(tmp_path / "other.csv"))


def test_embedded_scenarios_need_no_sumo_and_no_torch():
    """Loading one, making an environment and a baseline imports neither SUMO nor torch."""
    program = (
        "import sys\n"
        "from kit.traffic.scenarios import load_scenario\n"
        "s = load_scenario('balanced')\n"
        "s.make_env(0).reset()\n"
        "s.run_episodes(s.webster([1]), [2])\n"
        "print(sorted({'torch', 'libsumo', 'sumo_rl', 'stable_baselines3'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["balanced", "3to1", "varying"])
def test_the_baselines_stand_in_the_known_order(name):
    """Random switching is worst, tuned timers beat untuned ones, and tuned max-pressure beats timers."""
    scenario = load_scenario(name)
    controllers = [*scenario.baselines(training_seeds(3)), RandomPhase()]
    results = evaluate(scenario, controllers, selection_seeds(5))
    mean = {
        c.name: np.mean([r.delay_s_per_vehicle for r in results if r.controller == c.name])
        for c in controllers
    }
    fixed, best_fixed, webster, pressure, best_pressure, chance = mean.values()
    assert best_fixed <= fixed
    assert best_pressure <= pressure + 0.1
    assert best_pressure < min(best_fixed, webster)
    assert chance > 2 * best_pressure


def test_the_best_fixed_time_is_found_on_training_days_only():
    """With three times the traffic on one road the search gives that road the longer green."""
    best = load_scenario("3to1").best_fixed_time(training_seeds(3))
    assert best.green_s[0] > best.green_s[1]
    assert best.interval_s is None


def test_webster_counts_the_flows_of_the_days_it_is_given():
    """Webster's timer follows from the vehicles that arrived on these days."""
    rates = np.tile([900.0, 300.0, 900.0, 300.0], (240, 1))
    scenario = EmbeddedScenario(Demand("steady", rates, poisson=False))
    assert scenario.webster([0]).green_s == (34.0, 14.0)


def test_a_grid_that_does_not_divide_the_interval_is_refused():
    """A controller that wants to act every 4 s cannot be asked within 15 s decisions."""
    with pytest.raises(UsageError, match="divide 15"):
        load_scenario("balanced").run_episodes(FixedTime((30, 30), interval_s=4.0), [0])
