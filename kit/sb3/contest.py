"""The trained agent and one that merely alternates, played from equal starts over equal horizons."""

from __future__ import annotations

import operator
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecNormalize

from kit.harness.clock import Clock
from kit.preflight.alternation import Contest
from kit.sb3.probe_actions import ProbeActions

HORIZON = 1_000
STARTS, MOST_S = 8, 3.0
"""Rounds are played until there are so many starts, or so many seconds have gone by, which cut even the first short."""
FIRST_SEED = 101
LEAST_STEPS = 20

Act = Callable[[Any, int, np.ndarray], np.ndarray]
"""Returns actions for observations, the step of the round, and (E,) whether an episode begins with it."""


def contest(model: BaseAlgorithm, env: VecEnv, trained_share: float, clock: Clock) -> Contest:
    """Return the sums of rewards of both, start by start; ``env`` is one made for it."""
    actions = ProbeActions(env)
    _normalise_like(model.get_env(), env)
    agent: list[float] = []
    alternating: list[float] = []
    until, seed, longest = clock.monotonic() + MOST_S, FIRST_SEED, 0
    while actions.choices > 1 and len(agent) < STARTS and (not agent or clock.monotonic() < until):
        time_left = partial(_time_left, clock, until)
        sums, steps = _round(env, _policy(model, actions), seed, time_left)
        horizon = HORIZON if time_left(steps) else steps  # what was cut short is cut short for both
        others, taken = _round(env, _alternate(actions), seed, partial(operator.gt, horizon))
        agent, alternating = [*agent, *sums], [*alternating, *others]
        seed, longest = seed + 1, max(longest, steps, taken)
    return Contest(np.array(agent), np.array(alternating), longest, trained_share)


def _time_left(clock: Clock, until: float, step: int) -> bool:
    return step < HORIZON and (step < LEAST_STEPS or clock.monotonic() < until)


def _alternate(actions: ProbeActions) -> Act:
    return lambda _, step, __: actions.constant(step % actions.choices)


def _policy(model: BaseAlgorithm, actions: ProbeActions) -> Act:
    memory: list[Any] = [None]

    def act(observed: Any, _: int, starts: np.ndarray) -> np.ndarray:
        more: dict[str, Any] = {"action_masks": np.stack(actions.masks())} if actions.masked else {}
        chosen, memory[0] = model.predict(
            observed, state=memory[0], episode_start=starts, deterministic=True, **more
        )
        return chosen

    return act


def _round(env: VecEnv, act: Act, seed: int, go_on: Callable[[int], bool]) -> tuple[list[float], int]:
    """Play the first episode of each environment while ``go_on``; return the sums of rewards and the steps taken."""
    env.seed(seed)
    observed: Any = env.reset()
    sums, alive, starts = np.zeros(env.num_envs), np.ones(env.num_envs, bool), np.ones(env.num_envs, bool)
    step = 0
    while go_on(step) and alive.any():
        observed, rewards, starts, _ = env.step(act(observed, step, starts))
        sums[alive] += rewards[alive]
        alive &= ~starts
        step += 1
    return [float(total) for total in sums], step


def _normalise_like(trained: VecEnv | None, env: VecEnv) -> None:
    """Give ``env`` the statistics that the model's observations are normalised with; its rewards stay as they are."""
    pairs = zip(_normalising(trained), _normalising(env), strict=False)
    for theirs, ours in pairs:
        if hasattr(theirs, "obs_rms"):
            ours.obs_rms = deepcopy(theirs.obs_rms)
        ours.training = ours.norm_reward = False


def _normalising(env: VecEnv | None) -> list[VecNormalize]:
    found = []
    while isinstance(env, VecEnvWrapper):
        if isinstance(env, VecNormalize):
            found.append(env)
        env = env.venv
    return found
