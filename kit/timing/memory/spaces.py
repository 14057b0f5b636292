"""Environments that have nothing but their spaces, so that a library can check and wrap them."""

from __future__ import annotations

from typing import Any


def only_spaces(observation_space: Any, action_space: Any, n_envs: int) -> Any:
    """Return a VecEnv of ``n_envs`` environments of these spaces, which cannot be stepped.

    stable-baselines3 refuses with it what it would refuse with the real ones, and puts an image's channels first.
    """
    import gymnasium
    from stable_baselines3.common.vec_env import DummyVecEnv

    class OnlySpaces(gymnasium.Env[Any, Any]):
        """An environment of given spaces in which nothing can be done."""

        def __init__(self) -> None:
            self.observation_space, self.action_space = observation_space, action_space

    return DummyVecEnv([OnlySpaces for _ in range(n_envs)])
