"""The Gymnasium environment."""

import json
import logging
import subprocess
import sys
import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_sb3

from kit.errors import IntegrityError, UsageError
from kit.traffic.demand import profile
from kit.traffic.diagnostics import LINES_PER_STEP
from kit.traffic.environment import TrafficSignalEnv
from kit.traffic.network import Intersection


def make_env(**options):
    """Return an environment on the balanced demand."""
    return TrafficSignalEnv(profile("balanced"), **options)


def play(env, actions):
    """Return what the environment shows and pays for these actions."""
    return [env.step(a)[:2] for a in actions]


def same(one, other):
    """Compare two plays, exactly."""
    return all(np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(one, other, strict=True))


ACTIONS = np.random.default_rng(0).integers(0, 2, 240).tolist()


def test_gymnasium_and_sb3_accept_it():
    """Both check_env functions pass without an error or a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make_env(), skip_render_check=True)
        check_env_sb3(make_env(), warn=True)


def test_observations_stay_in_their_box():
    """Even with every entry queue overflowing, observations are within the declared bounds."""
    demand = profile("balanced")
    env = TrafficSignalEnv(type(demand)("flood", demand.rates_veh_h * 4))
    env.reset(seed=0)
    for action in [0] * 200 + ACTIONS[:40]:
        observation = env.step(action)[0]
        assert env.observation_space.contains(observation)
    assert env.simulation.entry_veh.max() > 50


def test_the_same_seed_is_the_same_day():
    """Two environments reset to one day and given the same actions see and earn exactly the same."""
    runs = []
    for _ in range(2):
        env = make_env()
        env.reset(seed=1_000_007)
        runs.append(play(env, ACTIONS))
    assert same(*runs)


def test_other_seeds_are_other_days():
    """Days differ in what arrives, and an environment goes on to other days by itself."""
    env = make_env(seed=3)
    days = []
    for _ in range(3):
        env.reset()
        days.append(int(env.simulation.seeds[0]))
        play(env, ACTIONS[:10])
    assert days[0] == 3
    assert len(set(days)) == 3
    env.reset(seed=3)
    assert env.simulation.seeds[0] == 3


def test_it_is_truncated_at_the_horizon_and_never_terminated():
    """The 240th decision truncates, and tells the delay of everyone who wanted to enter."""
    env = make_env()
    env.reset(seed=0)
    ends = [env.step(a)[2:] for a in ACTIONS]
    assert [terminated for terminated, _, _ in ends] == [False] * 240
    assert [truncated for _, truncated, _ in ends] == [False] * 239 + [True]
    info = ends[-1][2]
    total_s = sum(i["delay_s"] for _, _, i in ends)
    assert info["delay_s_per_vehicle"] == pytest.approx(total_s / info["vehicles"])
    assert info["vehicles"] == pytest.approx(2400, rel=0.1)
    assert 50 < info["unfinished"] < info["vehicles"]


def test_misuse_is_refused():
    """A step without an episode, a phase that does not exist and an impossible horizon are named."""
    env = make_env()
    with pytest.raises(UsageError, match="reset"):
        env.step(0)
    env.reset(seed=0)
    for action in (2, -1, 0.5):
        with pytest.raises(UsageError, match="0 to 1"):
            env.step(action)
    play(env, ACTIONS)
    with pytest.raises(UsageError, match="reset"):
        env.step(0)
    with pytest.raises(UsageError, match="1 to 240"):
        make_env(horizon_decisions=241)


@pytest.mark.parametrize("reward", ["delay", "diff-waiting-time"])
@pytest.mark.parametrize("at", [0, 1, 100, 239])
def test_a_restored_environment_goes_on_bit_for_bit(at, reward):
    """State taken at any decision continues exactly in a fresh environment, into the following episodes."""
    env = make_env(seed=9, reward=reward)
    env.reset()
    play(env, ACTIONS[:at])
    state = env.get_state()
    fresh = make_env(reward=reward)
    fresh.set_state(state)
    for _ in range(2):
        assert same(play(env, ACTIONS[at:]), play(fresh, ACTIONS[at:]))
        assert np.array_equal(env.reset()[0], fresh.reset()[0])
        at = 0


def test_a_state_survives_another_process():
    """State written as JSON here continues exactly in a process of its own."""
    env = make_env(seed=4)
    env.reset()
    play(env, ACTIONS[:37])
    state = env.get_state()
    state["simulation"] = {
        k: [v.dtype.str, v.shape, v.ravel().tolist()] for k, v in state["simulation"].items()
    }
    rewards = [reward for _, reward in play(env, ACTIONS[37:60])]
    program = (
        "import json, sys, numpy as np\n"
        "from kit.traffic.demand import profile\n"
        "from kit.traffic.environment import TrafficSignalEnv\n"
        "given = json.load(sys.stdin)\n"
        "state = given['state']\n"
        "flat = state['simulation'].items()\n"
        "state['simulation'] = {k: np.array(v[2], v[0]).reshape(v[1]) for k, v in flat}\n"
        "env = TrafficSignalEnv(profile('balanced'))\n"
        "env.set_state(state)\n"
        "print(json.dumps([env.step(a)[1] for a in given['actions']]))\n"
    )
    given = json.dumps({"state": state, "actions": ACTIONS[37:60]})
    done = subprocess.run(
        [sys.executable, "-c", program], input=given, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == rewards


def test_a_state_of_another_intersection_is_refused():
    """State with other shapes than the environment's is an integrity error, not a crash in the core."""
    state = make_env().get_state()
    with pytest.raises(IntegrityError, match="cells"):
        make_env(intersection=Intersection(cells=50)).set_state(state)


def test_diagnostics_are_38_lines_a_step_with_the_tags_of_the_policy(caplog):
    """With diagnostics on, each step logs 38 tagged lines; with them off, none."""
    env = make_env(diagnostics=True)
    env.reset(seed=0)
    with caplog.at_level(logging.INFO, logger="kit.traffic.diagnostics"):
        play(env, ACTIONS[:3])
        tags = [r.getMessage().partition("]")[0] + "]" for r in caplog.records]
        assert len(tags) == 3 * LINES_PER_STEP == 114
        assert {t: tags.count(t) // 3 for t in tags} == {
            "[REWARD_MICROSCOPE]": 10,
            "[BC UPDATE]": 8,
            "[QUEUE_DIAGNOSTIC]": 8,
            "[GPU_MEMORY]": 2,
            "[STATE_HASH]": 4,
            "[SIMULATION_WARNING]": 6,
        }
        caplog.clear()
        silent = make_env()
        silent.reset(seed=0)
        play(silent, ACTIONS[:3])
        assert not caplog.records


def test_diagnostics_do_not_change_the_day():
    """An environment that logs everything sees and earns what a silent one does."""
    runs = []
    for diagnostics in (True, False):
        env = make_env(diagnostics=diagnostics)
        env.reset(seed=8)
        runs.append(play(env, ACTIONS[:50]))
    assert same(*runs)
