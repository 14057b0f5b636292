"""The memory of stable-baselines3 runs: byte for byte what its own objects hold."""

import subprocess
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import QRDQN
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv

from kit.errors import UnknownNameError, UsageError
from kit.timing.memory.buffers import Spaces, replay_bytes
from kit.timing.memory.sb3 import process_bytes, sb3_memory


class Still(gym.Env[Any, Any]):
    """An environment of given spaces in which nothing happens."""

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observation_space, action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode of which nothing is known."""
        super().reset(seed=seed)
        self.observation_space.seed(0)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Return another observation of the space."""
        return self.observation_space.sample(), 0.0, False, False, {}


VECTOR = spaces.Box(-1, 1, (5,), np.float32)
DOUBLES = spaces.Box(-1, 1, (3,), np.float64)
IMAGE = spaces.Box(0, 255, (36, 40, 3), np.uint8)
NAMED = spaces.Dict({"place": VECTOR, "kind": spaces.Discrete(7)})
FORCE = spaces.Box(-1, 1, (2,), np.float32)
KEYS = spaces.Discrete(4)
CASES = [
    (DQN, "MlpPolicy", VECTOR, KEYS, 1, {"buffer_size": 1_000, "policy_kwargs": {"net_arch": [32]}}),
    (DQN, "MlpPolicy", spaces.Discrete(9), KEYS, 3, {"buffer_size": 1_000}),
    (DQN, "CnnPolicy", IMAGE, KEYS, 2, {"buffer_size": 100}),
    (DQN, "MultiInputPolicy", NAMED, KEYS, 2, {"buffer_size": 500}),
    (SAC, "MlpPolicy", DOUBLES, spaces.Box(-1, 1, (2,), np.float64), 1, {"buffer_size": 2_000}),
    (SAC, "MlpPolicy", VECTOR, FORCE, 4, {"buffer_size": 1_001, "ent_coef": 0.1, "use_sde": True}),
    (TD3, "MlpPolicy", VECTOR, FORCE, 1, {"buffer_size": 1_000, "policy_kwargs": {"net_arch": [40, 30]}}),
    (DDPG, "MlpPolicy", VECTOR, FORCE, 1, {"buffer_size": 1_000}),
    (PPO, "MlpPolicy", VECTOR, FORCE, 3, {"n_steps": 64, "batch_size": 48}),
    (PPO, "MultiInputPolicy", NAMED, spaces.MultiDiscrete([3, 4]), 2, {"n_steps": 32, "batch_size": 32}),
    (QRDQN, "MlpPolicy", VECTOR, KEYS, 1, {"buffer_size": 1_000, "policy_kwargs": {"n_quantiles": 7}}),
    (
        A2C,
        "MlpPolicy",
        VECTOR,
        KEYS,
        2,
        {"n_steps": 8, "policy_kwargs": {"net_arch": {"pi": [16], "vf": [24]}}},
    ),
]
ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
ROLLOUT = (
    "observations",
    "actions",
    "rewards",
    "returns",
    "episode_starts",
    "values",
    "log_probs",
    "advantages",
)


def real(
    algorithm: type[BaseAlgorithm], policy: str, seen: Any, acts: Any, n_envs: int, settings: Any
) -> Any:
    """Return a real model on environments of these spaces."""
    env = DummyVecEnv([lambda: Still(seen, acts) for _ in range(n_envs)])
    return algorithm(policy, env, device="cpu", **settings)


def array_bytes(buffer: Any, names: tuple[str, ...]) -> int:
    """Return the bytes of a buffer's arrays."""
    values = [getattr(buffer, name, None) for name in names]
    parts = [part for value in values for part in (value.values() if isinstance(value, dict) else [value])]
    return sum(part.nbytes for part in parts if part is not None)


def tensor_bytes(tensors: Any) -> int:
    """Return the bytes of tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case[0].__name__}-{type(case[2]).__name__}-{case[4]}"
)
def test_networks_and_buffers_take_what_the_real_ones_do(case):
    """Policy, target networks and buffer of the estimate are, to the byte, those of the real model."""
    algorithm, policy, seen, acts, n_envs, settings = case
    model = real(*case)
    estimate = sb3_memory(
        algorithm, seen, acts, policy=policy, n_envs=n_envs, process_bytes=0, **_copied(settings)
    )
    alone = 4 if getattr(model, "log_ent_coef", None) is not None else 0
    networks = estimate.bytes_of("policy weights") + estimate.bytes_of("target networks")
    assert networks == tensor_bytes([*model.policy.parameters(), *model.policy.buffers()]) + alone
    if hasattr(model, "replay_buffer"):
        assert estimate.bytes_of("replay buffer") == array_bytes(model.replay_buffer, ARRAYS)
    else:
        assert estimate.bytes_of("rollout buffer") == array_bytes(model.rollout_buffer, ROLLOUT)
        arrays = [array_bytes(model.rollout_buffer, (name,)) for name in ROLLOUT[1:]]
        assert estimate.bytes_of("flattened copy") >= max(arrays)


def _copied(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, dict) else value for key, value in settings.items()}


@pytest.mark.parametrize(
    "case", [CASES[0], CASES[4], CASES[6], CASES[8], CASES[10], CASES[11]], ids=lambda case: case[0].__name__
)
def test_gradients_and_optimizer_states_take_what_the_real_ones_do(case):
    """After training for a while, gradients and optimizer states hold, to the byte, what was estimated."""
    algorithm, policy, seen, acts, n_envs, settings = case
    model = real(*case)
    model.learn(130)
    found = [model.policy, getattr(model, "actor", None), getattr(model, "critic", None)]
    optimizers = [part.optimizer for part in found if getattr(part, "optimizer", None) is not None]
    optimizers += [model.ent_coef_optimizer] if getattr(model, "ent_coef_optimizer", None) else []
    gradients = [one.grad for each in optimizers for group in each.param_groups for one in group["params"]]
    states = [value for each in optimizers for state in each.state.values() for value in state.values()]
    estimate = sb3_memory(
        algorithm, seen, acts, policy=policy, n_envs=n_envs, process_bytes=0, **_copied(settings)
    )
    assert estimate.bytes_of("gradients") == tensor_bytes(one for one in gradients if one is not None)
    assert estimate.bytes_of("optimizer states") == tensor_bytes(
        value for value in states if isinstance(value, torch.Tensor)
    )


def test_a_buffer_without_next_observations_takes_what_the_real_one_does():
    """optimize_memory_usage leaves the second observation of each transition out."""
    settings = {"buffer_size": 1_000, "replay_buffer_kwargs": {"handle_timeout_termination": False}}
    model = real(DQN, "MlpPolicy", VECTOR, KEYS, 1, {**settings, "optimize_memory_usage": True})
    estimate = sb3_memory("dqn", VECTOR, KEYS, process_bytes=0, **settings, optimize_memory_usage=True)
    assert estimate.bytes_of("replay buffer") == array_bytes(model.replay_buffer, ARRAYS)
    with pytest.raises(UsageError, match="does not go with dictionary"):
        replay_bytes(Spaces(NAMED, KEYS), 100, optimize_memory_usage=True)


def test_a_million_images_are_counted_and_not_allocated():
    """A buffer of a million stacks of four 84 × 84 frames is 56.5 GB, which no test could allocate."""
    stacked = spaces.Box(0, 255, (4, 84, 84), np.uint8)
    estimate = sb3_memory("dqn", stacked, KEYS, policy="CnnPolicy", process_bytes=0)
    assert estimate.bytes_of("replay buffer") == 1_000_000 * (2 * 4 * 84 * 84 + 8 + 12)


def test_a_small_buffer_is_copied_by_a_checkpoint_and_a_large_one_is_not():
    """Up to 16 MiB three copies are made of it; beyond, of a frame of a mebibyte."""
    small = sb3_memory("dqn", VECTOR, KEYS, process_bytes=0, buffer_size=1_000)
    large = sb3_memory("dqn", VECTOR, KEYS, process_bytes=0, buffer_size=1_000_000)
    grown = large.bytes_of("checkpoint") - small.bytes_of("checkpoint")
    assert grown == 3 * (2**20 - small.bytes_of("replay buffer"))


def test_the_batch_grows_with_its_size():
    """Twice the batch, twice its tensors and activations; the first layer's outputs alone are in it."""
    one, two = (sb3_memory("sac", VECTOR, FORCE, process_bytes=0, batch_size=size) for size in (256, 512))
    for name in ("sampled batch", "batch activations"):
        assert two.bytes_of(name) == 2 * one.bytes_of(name)
    assert one.bytes_of("batch activations") > 2 * 256 * 256 * 4


def test_an_algorithm_whose_buffers_are_not_known_is_refused():
    """A misspelt algorithm has an error with the nearest."""
    with pytest.raises(UnknownNameError, match="Did you mean 'DQN'"):
        sb3_memory("dqnn", VECTOR, KEYS)


FULL_BUFFER = """
import re, pathlib, gymnasium as gym, numpy as np
from gymnasium import spaces
from sb3_contrib import QRDQN
from stable_baselines3 import DQN

class Still(gym.Env):
    observation_space, action_space = spaces.Box(-1, 1, (2_000,), np.float32), spaces.Discrete(4)
    def reset(self, *, seed=None, options=None):
        return np.zeros(2_000, np.float32), {}
    def step(self, action):
        return np.zeros(2_000, np.float32), 0.0, False, False, {}

model = DQN("MlpPolicy", Still(), device="cpu", buffer_size=20_000, learning_starts=50)
for array in (model.replay_buffer.observations, model.replay_buffer.next_observations):
    array[:] = 0.5
model.learn(400)
print(re.search(r"RssAnon:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
def test_a_process_that_trains_with_a_full_buffer_holds_what_was_estimated(repository):
    """A real run with 320 MB of observations holds the estimate, a checkpoint's copies apart, within a tenth."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_BUFFER], cwd=repository, capture_output=True, text=True, check=True
    )
    estimate = sb3_memory("dqn", spaces.Box(-1, 1, (2_000,), np.float32), KEYS, buffer_size=20_000)
    expected = estimate.total_bytes - estimate.bytes_of("checkpoint")
    assert int(done.stdout) * 1024 == pytest.approx(expected, rel=0.1)


@pytest.mark.slow
def test_the_process_is_measured_by_starting_one():
    """A process with the library holds more than 30 MB before it does anything, and less than 2 GB."""
    assert 30e6 < process_bytes() < 2e9
