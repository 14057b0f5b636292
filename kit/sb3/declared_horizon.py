"""The horizon that an environment declares: its time limit, its specification, or an attribute that says so."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

SPEC = "spec.max_episode_steps"
NAMES = ("_max_episode_steps", "max_episode_steps", "horizon_decisions", "horizon", "max_steps")
"""Attributes that hold it, in steps; the first is that of Gymnasium's TimeLimit."""


def declared_horizons(env: VecEnv) -> dict[str, int]:
    """Return the horizons of ``env`` in steps, by the name that each is declared under; where they differ, the most.

    Environments in processes of their own are asked for numbers alone: a specification need not be fit to be sent.
    """
    found = {name: _most(env.get_attr(name)) for name in NAMES if env.has_attr(name)}
    if isinstance(env.unwrapped, DummyVecEnv):
        specs = (one.spec for one in env.unwrapped.envs)
        found[SPEC] = _most([getattr(spec, "max_episode_steps", None) for spec in specs])
    return {name: steps for name, steps in found.items() if steps}


def _most(values: list[Any]) -> int:
    return max((value for value in values if type(value) is int and value > 0), default=0)
