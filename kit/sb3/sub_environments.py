"""The environments inside a DummyVecEnv or SubprocVecEnv that tell their own state, with the wrappers around them."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from kit.sb3.replayable import Replayable

WRAPPERS: dict[type, tuple[str, ...]] = {
    Monitor: ("rewards", "needs_reset", "episode_returns", "episode_lengths", "episode_times", "total_steps"),
    TimeLimit: ("_elapsed_steps",),
    OrderEnforcing: ("_has_reset",),
    PassiveEnvChecker: ("checked_reset", "checked_step", "checked_render", "close_called"),
}
"""The wrappers that are captured around an environment, each with the attributes that decide what it gives next."""


def unsupported(env: VecEnv) -> str | None:
    """Return why the state of the environments inside ``env`` cannot be had from them, or None where it can."""
    if type(env) is DummyVecEnv:  # a subclass may remember something itself
        return next((reason for one in env.envs if (reason := _split(one)[2])), None)
    if type(env) is not SubprocVecEnv:
        return f"{type(env).__name__} does not say how its environments are reached"
    # Any environment has a class: that of the outermost wrapper, which alone has the state of all of it.
    without = [kind.__name__ for kind in env.get_attr("__class__") if not _tells(kind)]
    return f"{without[0]} in a SubprocVecEnv has none: put kit.sb3.Replayable around it" if without else None


def get_states(env: VecEnv) -> list[dict[str, Any]]:
    """Return the state of each environment, as trees."""
    if not isinstance(env, DummyVecEnv):
        return [{"inner": state, "wrappers": []} for state in env.env_method("get_state")]
    states = []
    for one in env.envs:
        wrappers, inner, _ = _split(one)
        around = [{name: getattr(each, name) for name in WRAPPERS[type(each)]} for each in wrappers]
        states.append({"inner": inner.get_state(), "wrappers": around})
    return states


def set_states(env: VecEnv, states: list[dict[str, Any]]) -> str | None:
    """Put each environment where its state was taken; return why one of them did not get there, or None."""
    if len(states) != env.num_envs:
        return f"the state is of {len(states)} environments, and there are {env.num_envs}"
    if isinstance(env, DummyVecEnv):
        reasons = [_set_state(one, state) for one, state in zip(env.envs, states, strict=True)]
    else:
        kinds = env.get_attr("__class__")
        reasons = [
            env.env_method(
                "replay" if issubclass(kind, Replayable) else "set_state", state["inner"], indices=i
            )[0]
            for i, (kind, state) in enumerate(zip(kinds, states, strict=True))
        ]
    return next((reason for reason in reasons if isinstance(reason, str)), None)


def forgotten(env: VecEnv) -> str | None:
    """Return what replayed environments do not remember of the episodes before, or None."""
    if isinstance(env, DummyVecEnv):
        names = [getattr(_split(one)[1], "forgotten", []) for one in env.envs]
    else:
        kinds = env.get_attr("__class__")
        names = [
            env.get_attr("forgotten", i)[0] for i, kind in enumerate(kinds) if issubclass(kind, Replayable)
        ]
    told = ", ".join(sorted({name for some in names for name in some}))
    return f"replay of an episode does not bring back what came before it ({told})" if told else None


def _set_state(env: gymnasium.Env[Any, Any], state: dict[str, Any]) -> str | None:
    wrappers, inner, _ = _split(env)
    if len(state["wrappers"]) != len(wrappers):
        return "it was captured with other wrappers around it"
    reason: str | None = None
    if isinstance(inner, Replayable):
        reason = inner.replay(state["inner"])
    else:
        inner.set_state(state["inner"])
    for wrapper, attributes in zip(wrappers, state["wrappers"], strict=True):
        for name, value in attributes.items():
            setattr(wrapper, name, value)
    return reason


def _split(env: gymnasium.Env[Any, Any]) -> tuple[list[Any], Any, str | None]:
    """Return the wrappers around what tells its own state, that itself, and why that does not do (None: it does)."""
    wrappers: list[Any] = []
    while not _tells(type(env)):
        if not isinstance(env, gymnasium.Wrapper):
            return wrappers, env, f"{type(env).__name__} has none"
        if type(env) not in WRAPPERS:
            return wrappers, env, f"what {type(env).__name__} adds to it is not known"
        wrappers.append(env)
        env = env.env
    return wrappers, env, None


def _tells(kind: type) -> bool:
    return all(hasattr(kind, name) for name in ("get_state", "set_state"))
