"""Actions for looking at an environment: by chance, or one and the same; legal ones where it says which those are."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

MOST_CHOICES = 4


class ProbeActions:
    """Actions of one VecEnv, for all of its environments at once: (E,) for discrete ones, else (E, …)."""

    def __init__(self, env: VecEnv, seed: int = 0) -> None:
        self._env = env
        self._space: spaces.Space[Any] = deepcopy(env.action_space)
        self._space.seed(seed)
        masked = isinstance(env.unwrapped, DummyVecEnv | SubprocVecEnv) and env.has_attr("action_masks")
        self._masked = masked and isinstance(self._space, spaces.Discrete)

    @property
    def choices(self) -> int:
        """How many different actions ``constant`` knows."""
        space = self._space
        if isinstance(space, spaces.Discrete):
            return min(int(space.n), MOST_CHOICES)
        return 1 if np.array_equal(self._extreme(0), self._extreme(1)) else 2

    def random(self) -> np.ndarray:
        """Return actions by chance, the same sequence for the same seed."""
        if self._masked:
            return np.array([self._space.sample(np.asarray(mask, np.int8)) for mask in self.masks()])
        return np.array([self._space.sample() for _ in range(self._env.num_envs)])

    def constant(self, choice: int) -> np.ndarray:
        """Return the same action everywhere, of the number ``choice``: for continuous ones, the least or the most."""
        space = self._space
        if self._masked:
            legal = [np.flatnonzero(mask) for mask in self.masks()]
            return np.array([actions[choice % len(actions)] for actions in legal]) + self._start
        if isinstance(space, spaces.Discrete):
            return np.full(self._env.num_envs, choice % int(space.n)) + self._start
        return np.stack([self._extreme(choice % 2)] * self._env.num_envs)

    def masks(self) -> list[Any]:
        """Return for each environment which actions are legal; only where ``masked``."""
        return self._env.env_method("action_masks")

    @property
    def masked(self) -> bool:
        """Whether the environments say which actions are legal."""
        return self._masked

    @property
    def _start(self) -> int:
        return int(getattr(self._space, "start", 0))

    def _extreme(self, upper: int) -> np.ndarray:
        space = self._space
        if isinstance(space, spaces.Box):
            bound, instead = (space.high, 1.0) if upper else (space.low, -1.0)
            return np.where(np.isfinite(bound), bound, instead).astype(space.dtype)
        if isinstance(space, spaces.MultiDiscrete):
            start = np.asarray(space.start)
            return np.asarray(start + (space.nvec - 1) * upper, dtype=space.dtype)
        return np.full(space.shape or (1,), upper, dtype=space.dtype)
