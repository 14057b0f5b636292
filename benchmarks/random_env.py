"""An environment that costs next to nothing: random observations from a pool, so that a benchmark measures the rest."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import VecEnv

OBSERVATION = 40
"""float32 numbers in an observation."""
EPISODE = 200
POOL = 4_096


class RandomVecEnv(VecEnv):
    """``n_envs`` environments in step: observation (40,) float32, episodes of 200 steps; exact by its counters.

    ``continuous`` gives a Box(2) action space in place of Discrete(2).
    """

    render_mode = None

    def __init__(self, n_envs: int, *, continuous: bool = False) -> None:
        box = gymnasium.spaces.Box(-1.0, 1.0, (OBSERVATION,), np.float32)
        actions = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
        super().__init__(n_envs, box, actions if continuous else gymnasium.spaces.Discrete(2))
        self._pool = np.random.default_rng(0).uniform(-1, 1, (POOL, n_envs, OBSERVATION)).astype(np.float32)
        self._at = 0

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future."""
        return {"at": self._at}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from ``state``."""
        self._at = state["at"]

    def reset(self) -> np.ndarray:
        """Start over."""
        self._at = 0
        return self._pool[0]

    def step_async(self, actions: np.ndarray) -> None:
        """Take note of nothing: actions change nothing here."""

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Return the next observations of the pool; all episodes end together."""
        self._at += 1
        observations = self._pool[self._at % POOL]
        over = self._at % EPISODE == 0
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if over:
            infos = [{"terminal_observation": row} for row in observations]
        return observations, observations[:, 0].copy(), np.full(self.num_envs, over), infos

    def close(self) -> None:
        """Nothing to close."""

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:  # noqa: ARG002
        """No environment is wrapped."""
        return [False] * self.num_envs

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:  # noqa: ARG002
        """There are no methods to call."""
        raise AttributeError(method_name)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:  # noqa: ARG002
        """Return the attributes that stable-baselines3 asks for."""
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:  # noqa: ARG002
        """There is nothing to set."""
        raise AttributeError(attr_name)
