"""The bytes of stable-baselines3's buffers, by its own allocations."""

from __future__ import annotations

import math
from typing import Any

from kit.errors import UsageError


class Spaces:
    """What one transition's observation and action take, in the shapes that stable-baselines3 stores them in."""

    def __init__(self, observation: Any, action: Any) -> None:
        import numpy as np
        from stable_baselines3.common.preprocessing import get_action_dim, get_obs_shape

        shape = get_obs_shape(observation)
        parts = (
            [(shape[key], observation[key].dtype) for key in shape]
            if isinstance(shape, dict)
            else [(shape, observation.dtype)]
        )
        self.dict_observation = isinstance(shape, dict)
        self.array_bytes = [math.prod(part) * np.dtype(dtype).itemsize for part, dtype in parts]
        self.observation_bytes = sum(self.array_bytes)
        self.observation_numbers = sum(math.prod(part) for part, _ in parts)
        width = np.dtype(action.dtype).itemsize
        self.action_bytes = get_action_dim(action) * width
        stored = 4 if np.dtype(action.dtype) == np.float64 else width
        self.stored_action_bytes = get_action_dim(action) * stored


def replay_bytes(
    spaces: Spaces, buffer_size: int, n_envs: int = 1, *, optimize_memory_usage: bool = False
) -> int:
    """Return what ReplayBuffer, NStepReplayBuffer or DictReplayBuffer allocates.

    max(buffer_size // n_envs, 1) × n_envs transitions of: observation, next observation (not with
    ``optimize_memory_usage``), action (float64 as float32), and reward, done and timeout, 4 B each.

    Raises:
        UsageError: ``optimize_memory_usage`` with dictionary observations, which the library refuses.
    """
    if buffer_size < 1 or n_envs < 1:
        raise UsageError(f"buffer_size and n_envs must be at least 1, not {buffer_size!r} and {n_envs!r}.")
    if optimize_memory_usage and spaces.dict_observation:
        raise UsageError("optimize_memory_usage does not go with dictionary observations. Legal: False.")
    sides = 1 if optimize_memory_usage else 2
    transition = sides * spaces.observation_bytes + spaces.stored_action_bytes + 3 * 4
    return max(buffer_size // n_envs, 1) * n_envs * int(transition)


def rollout_bytes(spaces: Spaces, n_steps: int, n_envs: int = 1) -> tuple[int, int]:
    """Return what RolloutBuffer or DictRolloutBuffer allocates, and the bytes of its largest array.

    n_steps × n_envs of: observation, action, and six numbers of 4 B (reward, return, episode start, value,
    log-probability, advantage).
    """
    if n_steps < 1 or n_envs < 1:
        raise UsageError(f"n_steps and n_envs must be at least 1, not {n_steps!r} and {n_envs!r}.")
    steps = n_steps * n_envs
    largest = max(*spaces.array_bytes, spaces.action_bytes, 4)
    return steps * (spaces.observation_bytes + spaces.action_bytes + 6 * 4), steps * largest
