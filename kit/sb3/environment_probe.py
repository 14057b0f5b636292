"""Steps an environment for the checks: by chance, and from the same start under different actions."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from kit.harness.clock import Clock
from kit.preflight.action_effect import Fork
from kit.preflight.episode_end import ENOUGH
from kit.preflight.trace import Trace
from kit.sb3.flat import bounds, flat
from kit.sb3.probe_actions import ProbeActions

SEED = 7
LEAST_STEPS, MOST_STEPS, MOST_S = 200, 2_000, 4.0
"""A trace has at least so many steps, and goes on for some ends of episodes up to so many, or so many seconds."""
FORKS = ((1, 12), (2, 60), (3, 200))
"""Seeds and lengths of the forks that are tried, until one shows what an action does."""


def random_trace(env: VecEnv, clock: Clock) -> Trace:
    """Return what ``env`` answers to random actions, for long enough to see some episodes end."""
    actions = ProbeActions(env)
    env.seed(SEED)
    observations = [flat(env.reset(), env.num_envs)]
    rewards: list[np.ndarray] = []
    dones: list[np.ndarray] = []
    cut: list[np.ndarray] = []
    without_last = ended = 0
    until = clock.monotonic() + MOST_S
    while len(rewards) < MOST_STEPS and (len(rewards) < LEAST_STEPS or ended < ENOUGH):
        if clock.monotonic() > until and len(rewards) >= 2:
            break
        observed, reward, done, infos = env.step(actions.random())
        observations.append(flat(observed, env.num_envs))
        rewards.append(np.array(reward, dtype=np.float64))
        dones.append(np.array(done, dtype=bool))
        cut.append(np.array([bool(info.get("TimeLimit.truncated")) for info in infos]))
        ended += int(np.sum(done))
        without_last += sum("terminal_observation" not in infos[i] for i in np.flatnonzero(done))
    low, high = bounds(env.observation_space)
    return Trace(
        np.stack(observations), np.stack(rewards), np.stack(dones), np.stack(cut), low, high, without_last
    )


def forks(env: VecEnv) -> tuple[Fork, ...]:
    """Return forks of ``env``, as many as it takes to see an action's effect that lasts, or chance."""
    actions = ProbeActions(env)
    found: list[Fork] = []
    for seed, steps in FORKS:
        first, again = (_walk(env, actions, seed, steps, 0) for _ in range(2))
        for choice in range(1, actions.choices):
            fork = Fork(first, again, _walk(env, actions, seed, steps, choice), steps // 2)
            found.append(fork)
            if fork.by_chance or fork.apart[fork.agree_after + 1 :].any():
                return tuple(found)
    return tuple(found)


def _walk(env: VecEnv, actions: ProbeActions, seed: int, steps: int, choice: int) -> np.ndarray:
    """Take one action for the first half of the steps and action 0 for the rest; return the observations."""
    env.seed(seed)
    observed: Any = env.reset()
    seen = [flat(observed, env.num_envs)]
    for step in range(steps):
        observed, _, _, _ = env.step(actions.constant(choice if step < steps // 2 else 0))
        seen.append(flat(observed, env.num_envs))
    return np.stack(seen)
