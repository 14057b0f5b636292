"""The batched VecEnv."""

import numpy as np
import pytest
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import VecMonitor

from kit.errors import IntegrityError, UsageError
from kit.traffic.batch import TrafficVecEnv
from kit.traffic.demand import profile
from kit.traffic.environment import TrafficSignalEnv
from kit.traffic.seeds import training_seed

torch.set_num_threads(1)


def make(n=3, **options):
    """Return a batch on the varying demand."""
    return TrafficVecEnv(n, profile("varying"), **options)


def actions(steps, n, seed=0):
    """Return (steps, n) random phases."""
    return np.random.default_rng(seed).integers(0, 2, (steps, n))


def equal(one, other):
    """Compare two results of a step, exactly."""
    same_arrays = all(np.array_equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))
    return same_arrays and [i.get("episode") for i in one[3]] == [i.get("episode") for i in other[3]]


def test_it_steps_as_single_environments_do():
    """Environment i of the batch has, bit for bit, the episodes of a single one on the same days."""
    batch = make(3, seed=5, horizon_decisions=20)
    singles = [TrafficSignalEnv(profile("varying"), horizon_decisions=20) for _ in range(3)]
    observations = batch.reset()
    for i, single in enumerate(singles):
        assert np.array_equal(single.reset(seed=training_seed(5, i, 0))[0], observations[i])
    for row in actions(20, 3):
        observations, rewards, dones, infos = batch.step(row)
        for i, single in enumerate(singles):
            observation, reward, _, truncated, _ = single.step(row[i])
            last = infos[i]["terminal_observation"] if dones[i] else observations[i]
            assert np.array_equal(last, observation)
            assert rewards[i] == np.float32(reward)
            assert dones[i] == truncated
    for i, single in enumerate(singles):
        assert np.array_equal(single.reset(seed=training_seed(5, i, 1))[0], observations[i])


def test_the_end_of_an_episode_is_told_as_sb3_wants_it():
    """At the horizon, and only there, infos hold the terminal observation, the truncation and the episode."""
    env = make(2, horizon_decisions=5, seed=1)
    env.reset()
    for episode in (1, 2):
        rows = [env.step(row) for row in actions(5, 2, seed=episode)]
        assert all(info == {} for row in rows[:-1] for info in row[3])
        assert rows[-1][2].all()
        for i, info in enumerate(rows[-1][3]):
            assert info["TimeLimit.truncated"] is True
            assert info["episode"]["l"] == 5
            assert info["episode"]["t"] == episode * 5 * 15
            assert info["episode"]["r"] == pytest.approx(sum(row[1][i] for row in rows), rel=1e-5)
            assert not np.array_equal(info["terminal_observation"], rows[-1][0][i])
            assert info["vehicles"] > 0


def test_the_returned_arrays_are_the_callers():
    """What a step returns is not overwritten by the next."""
    env = make()
    first = env.reset()
    kept = first.copy()
    second = env.step(np.ones(3, dtype=int))
    kept_second = [np.copy(a) for a in second[:3]]
    env.step(np.zeros(3, dtype=int))
    assert np.array_equal(first, kept)
    assert all(np.array_equal(a, b) for a, b in zip(second[:3], kept_second, strict=True))


@pytest.mark.parametrize("at", [0, 7, 19, 20, 33])
def test_a_restored_batch_goes_on_bit_for_bit(at):
    """State taken anywhere continues exactly in a fresh batch, episode counters and next days included."""
    env = make(3, seed=11, horizon_decisions=20)
    env.reset()
    rows = actions(90, 3)
    for row in rows[:at]:
        env.step(row)
    state = env.get_state()
    fresh = make(3, horizon_decisions=20)
    fresh.set_state(state)
    for row in rows[at:]:
        assert equal(env.step(row), fresh.step(row))
    assert env.get_state()["episode"] == 5


def test_a_state_is_numbers_and_arrays():
    """State can go into safetensors and JSON: dicts with string keys, arrays, ints, floats."""

    def walk(value):
        if isinstance(value, dict):
            assert all(isinstance(k, str) for k in value)
            for v in value.values():
                walk(v)
        elif isinstance(value, np.ndarray):
            assert value.dtype in (np.float64, np.int64)
        else:
            assert type(value) in (int, float)

    env = make()
    env.reset()
    walk(env.get_state())


def test_a_state_is_a_copy():
    """Stepping on does not change a state that was taken before."""
    env = make()
    env.reset()
    state = env.get_state()
    cells = state["simulation"]["cells"].copy()
    for row in actions(10, 3):
        env.step(row)
    assert np.array_equal(state["simulation"]["cells"], cells)


def test_seeding_decides_the_days():
    """The same seed gives the same training days again; another one gives others."""
    env = make(4)
    env.seed(2)
    first = env.reset()
    days = env.simulation.seeds.copy()
    assert days.tolist() == [training_seed(2, i, 0) for i in range(4)]
    env.seed(2)
    assert np.array_equal(env.reset(), first)
    assert np.array_equal(env.simulation.seeds, days)
    env.seed(3)
    env.reset()
    assert not set(env.simulation.seeds.tolist()) & set(days.tolist())


def test_misuse_is_refused():
    """Wrong actions, a step before the reset, no environments and a foreign state are named."""
    env = make(2)
    with pytest.raises(UsageError, match="reset"):
        env.step(np.zeros(2, dtype=int))
    env.reset()
    for bad in ([0, 2], [0, -1], [0]):
        with pytest.raises(UsageError, match="legal are 2 of 0 to 1"):
            env.step(np.array(bad))
    with pytest.raises(UsageError, match="at least 1"):
        make(0)
    with pytest.raises(IntegrityError, match="3 environments, not of 2"):
        env.set_state(make(3).get_state())


def test_sb3_trains_on_it():
    """DQN learns on the batch, under SB3's own wrapper, and its episode statistics arrive."""
    env = VecMonitor(make(4, horizon_decisions=20))
    model = DQN("MlpPolicy", env, learning_starts=40, buffer_size=1000, seed=0, device="cpu")
    model.learn(400)
    assert model.num_timesteps == 400
    assert len(model.ep_info_buffer) == 20
    assert all(np.isfinite(e["r"]) and e["r"] < 0 for e in model.ep_info_buffer)
