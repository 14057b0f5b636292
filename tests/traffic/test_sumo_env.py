"""SUMO episodes in processes of their own: reproducible, exact to resume, complete in what they count."""

import copy
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check

from kit.errors import IntegrityError, UnknownNameError, UsageError
from kit.traffic import sumo_process
from kit.traffic.controllers import Policy
from kit.traffic.seeds import selection_seeds
from kit.traffic.sumo_env import SumoEnv
from kit.traffic.sumo_scenario import SumoScenario
from tests.traffic.sumo_installed import needs_sumo

pytestmark = needs_sumo

SHORT = 30
ACTIONS = [(k // 2 + k // 7) % 4 for k in range(SHORT)]


@pytest.fixture
def scenario():
    """The first minutes of cologne1's days."""
    return SumoScenario("cologne1", horizon_decisions=SHORT)


def play(env, actions, seed=None):
    """Return everything that an episode shows."""
    seen = [env.reset(seed=seed)[0]]
    rewards = []
    for action in actions:
        observation, reward, *_ = env.step(action)
        seen.append(observation)
        rewards.append(reward)
    return np.stack(seen), np.array(rewards)


def test_same_seed_same_trajectory(scenario):
    """A day played twice, in two processes, gives the same observations and rewards, bit for bit."""
    first = play(scenario.make_env(5), ACTIONS)
    second = play(scenario.make_env(5), ACTIONS)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert first[0][-1].any()


def test_reset_with_a_seed_plays_that_day(scenario):
    """reset(seed=s) plays day s whatever was played before."""
    env = scenario.make_env(5)
    play(env, ACTIONS)
    again = play(env, ACTIONS, seed=9)
    assert np.array_equal(again[0], play(scenario.make_env(9), ACTIONS)[0])


def test_checkers_pass(scenario):
    """Gymnasium's and stable-baselines3's own checks accept the environment."""
    gymnasium_check(scenario.make_env(0), skip_render_check=True)
    sb3_check(scenario.make_env(0))


def test_truncated_at_the_horizon_and_never_terminated(scenario):
    """An episode is truncated at the horizon, says how it went, and refuses to go on."""
    env = scenario.make_env(0)
    env.reset()
    for _ in range(SHORT - 1):
        assert env.step(0)[2:4] == (False, False)
    _, _, terminated, truncated, info = env.step(0)
    assert (terminated, truncated) == (False, True)
    assert info["vehicles"] >= info["unfinished"] > 0
    with pytest.raises(UsageError, match="ended after 30"):
        env.step(0)


def test_every_decision_is_honoured(scenario):
    """Each action is the phase at the end of its interval, green since the end of the yellow."""
    env = scenario.make_env(0)
    env.reset()
    before = 0
    for action in (3, 1, 1, 2, 0, 3):
        env.step(action)
        assert env.view.phase == action
        assert env.view.elapsed_green_s == (25.0 if action == before else 10.0)
        before = action


def test_state_replays_exactly(scenario):
    """A state, through JSON, continues in a fresh environment bit for bit as if never interrupted."""
    env = scenario.make_env(5)
    whole = play(env, ACTIONS)
    play(env, ACTIONS[:17], seed=5)
    state = json.loads(json.dumps(env.get_state()))
    fresh = scenario.make_env(0)
    fresh.set_state(state)
    rest = [fresh.step(action) for action in ACTIONS[17:]]
    assert np.array_equal(whole[0][18:], np.stack([r[0] for r in rest]))
    assert whole[1][17:].tolist() == [r[1] for r in rest]


def test_replay_that_differs_is_an_integrity_error(scenario):
    """One action changed in a state is found out: the replay no longer has its fingerprint."""
    env = scenario.make_env(5)
    play(env, ACTIONS[:15])
    state = env.get_state()
    state["actions"][3] = (state["actions"][3] + 1) % 4
    with pytest.raises(IntegrityError, match="replay of seed 5"):
        scenario.make_env(5).set_state(state)


def test_state_of_another_environment_is_refused(scenario):
    """A state taken with another reward names the setting that differs."""
    state = scenario.make_env(5, "queue").get_state()
    with pytest.raises(UsageError, match="reward: 'queue' there, 'delay' here"):
        scenario.make_env(5, "delay").set_state(state)


def test_vec_env_resumes_exactly_across_an_episode_end(scenario):
    """A VecEnv restored in mid-episode continues bit for bit, through the next autoreset too."""
    whole = scenario.make_vec_env(2, seed=3)
    rng = np.random.default_rng(0)
    actions = rng.integers(4, size=(SHORT + 20, 2))
    whole.reset()
    for row in actions[:12]:
        whole.step(row)
    state = copy.deepcopy(whole.get_state())
    resumed = scenario.make_vec_env(2, seed=99)
    resumed.set_state(state)
    ended = 0
    for row in actions[12:]:
        a, b = whole.step(row), resumed.step(row)
        assert np.array_equal(a[0], b[0])
        assert np.array_equal(a[1], b[1])
        assert [i.get("episode") for i in a[3]] == [i.get("episode") for i in b[3]]
        ended += int(a[2].sum())
    assert ended == 2
    whole.close()
    resumed.close()


def test_vec_env_reports_the_end_as_stable_baselines3_expects(scenario):
    """At the horizon an info has the last observation, says truncated, and sums the episode up."""
    env = scenario.make_vec_env(1, seed=3)
    env.reset()
    rewards, observations = [], []
    for _ in range(2 * SHORT):
        observation, reward, done, info = env.step(np.array([1]))
        rewards.append(float(reward[0]))
        observations.append(observation[0])
    assert done[0]
    assert info[0]["TimeLimit.truncated"]
    assert not np.array_equal(info[0]["terminal_observation"], observations[-1])
    assert info[0]["episode"]["l"] == SHORT
    assert info[0]["episode"]["r"] == pytest.approx(sum(rewards[SHORT:]), abs=1e-4)
    assert info[0]["episode"]["t"] == 2 * SHORT * 15.0
    env.close()


def test_delay_counts_everyone(scenario, tmp_path):
    """The delay of a jam equals that of SUMO's own records plus the wait of those that never entered."""
    spec = replace(scenario.spec(1_000_019), horizon_decisions=120)
    script = f"""
import sys
from kit.traffic.sumo_episode import EpisodeSpec, SumoEpisode, demand_of
import libsumo
start = libsumo.start
more = ["--tripinfo-output", sys.argv[1], "--tripinfo-output.write-unfinished"]
libsumo.start = lambda command: start(command + more)
spec = {spec!r}
episode = SumoEpisode(spec)
last = episode.run([3] * 120)[-1]
pending = [t for t in demand_of(spec).trips if t.id in set(libsumo.simulation.getPendingVehicles())]
wait_s = sum(spec.end_s - t.depart_s for t in pending)
libsumo.close()
import xml.etree.ElementTree as ET
rows = ET.parse(sys.argv[1]).getroot().findall("tripinfo")
rows = [r for r in rows if float(r.get("depart")) >= 0]
told_s = sum(float(r.get("timeLoss")) + float(r.get("departDelay")) for r in rows)
assert len(pending) > 100, len(pending)
assert last.vehicles == len(rows) + len(pending), (last.vehicles, len(rows), len(pending))
assert last.unfinished == len(pending) + sum(float(r.get("arrival")) < 0 for r in rows)
assert abs(last.total_delay_s - told_s - wait_s) < 2e-5 * told_s + 1, (last.total_delay_s, told_s, wait_s)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "trips.xml")],
        env=sumo_process._environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_rewards_have_their_names_and_meaning(scenario):
    """Each reward is what its table says, of the same trajectory."""
    env = {name: scenario.make_env(5, name) for name in ("queue", "delay", "pressure", "diff-waiting-time")}
    for one in env.values():
        one.reset()
    for _ in range(15):
        steps = {name: one.step(3) for name, one in env.items()}
        info = steps["delay"][4]
        assert steps["delay"][1] == pytest.approx(-info["delay_s"] / 300)
        assert steps["queue"][1] == pytest.approx(-info["queue_veh"] / 20)
    assert steps["diff-waiting-time"][1] < 0  # the main roads have red all the time
    assert steps["pressure"][1] < 0


def test_unknown_names_list_the_legal_ones(scenario):
    """A misspelt scenario or reward is an error with the nearest legal name."""
    with pytest.raises(UnknownNameError, match="cologne1"):
        SumoScenario("colonge1")
    with pytest.raises(UnknownNameError, match="diff-waiting-time"):
        scenario.make_env(0, "diff-waiting")


@pytest.mark.parametrize("action", [-1, 4])
def test_action_that_is_no_phase(scenario, action):
    """An action out of range is an error with the legal range, and nothing has happened."""
    env = scenario.make_env(0)
    env.reset()
    with pytest.raises(UsageError, match="0 to 3"):
        env.step(action)
    assert env.get_state()["actions"] == []


def test_policy_predicts_for_all_episodes_at_once(scenario):
    """run_episodes asks a policy once per decision, with a row for each day."""
    batches = []

    def predict(observations):
        batches.append(observations)
        return np.ones(len(observations), dtype=int)

    results = scenario.run_episodes(Policy("ones", predict), selection_seeds(3))
    assert [b.shape for b in batches] == [(3, SumoEnv(scenario.spec(0)).observation_space.shape[0])] * SHORT
    assert [r.seed for r in results] == selection_seeds(3)
    alone = play(scenario.make_env(selection_seeds(3)[1]), [1] * SHORT)
    assert np.array_equal(alone[0][7], batches[7][1])
    assert results[1].reward == pytest.approx(alone[1].sum())
