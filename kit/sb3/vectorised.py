"""The training environment as a VecEnv, with what its state is captured by put around each environment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from kit.sb3.episode_process import EpisodeProcess
from kit.sb3.replayable import Replayable

MakeEnv = Callable[[], gymnasium.Env[Any, Any] | VecEnv]


def vectorised(make_env: MakeEnv, method: str = "none") -> VecEnv:
    """Return what ``make_env`` makes as a VecEnv; for ``"replay"`` and ``"process"`` its environments are wrapped.

    Raises:
        UsageError: ``method`` is ``"process"`` and ``make_env`` cannot be sent to one.
    """
    made = make_env()
    env = made if isinstance(made, VecEnv) else DummyVecEnv([lambda: _monitored(made)])
    inner = env.unwrapped
    if method not in ("replay", "process") or not isinstance(inner, DummyVecEnv):
        return env
    if method == "process":
        plain = not isinstance(made, VecEnv)
        env.close()  # each episode makes its own
        inner.envs = [
            _monitored(EpisodeProcess(make_env))  # type: ignore[arg-type]
            if plain
            else EpisodeProcess(partial(_environment, make_env, i))
            for i in range(env.num_envs)
        ]
    inner.envs = [Replayable(one) for one in inner.envs]
    return env


def _monitored(env: gymnasium.Env[Any, Any]) -> Monitor:
    return env if isinstance(env, Monitor) else Monitor(env)


def _environment(make_env: MakeEnv, index: int) -> gymnasium.Env[Any, Any]:
    """Return one of the environments of the DummyVecEnv that ``make_env`` makes."""
    made = make_env()
    assert isinstance(made, VecEnv)
    inner = made.unwrapped
    assert isinstance(inner, DummyVecEnv)
    return inner.envs[index]
