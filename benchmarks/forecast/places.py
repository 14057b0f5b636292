"""Environments by name, and how an agent is evaluated on them, in environments of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from benchmarks.forecast.plate import HeatedPlate
from benchmarks.forecast.workloads import EVALUATIONS, AgentWorkload
from kit.errors import choose
from kit.sb3 import Evaluation
from kit.traffic.comparison import measure
from kit.traffic.scenarios import load_scenario
from kit.traffic.seeds import selection_seeds

MakeOne = Callable[[], gymnasium.Env[Any, Any]]
GYMNASIUM: dict[str, MakeOne] = {
    "cartpole": partial(gymnasium.make, "CartPole-v1"),
    "pendulum": partial(gymnasium.make, "Pendulum-v1"),
    "plate": HeatedPlate,
}
TRAFFIC = ("varying", "cologne1")
FIRST_DAY = 10_000
"""Seed of the first episode of an evaluation, far from those of training."""


def make_env(workload: AgentWorkload, seed: int) -> gymnasium.Env[Any, Any] | VecEnv:
    """Return the training environment: one, or as many in parallel as the workload says."""
    if workload.place in TRAFFIC:
        return load_scenario(workload.place).make_vec_env(workload.n_envs, seed)
    make = choose("place", workload.place, GYMNASIUM)
    return make() if workload.n_envs == 1 else _parallel(make, workload.n_envs)


def _parallel(make: MakeOne, n_envs: int) -> VecEnv:
    from stable_baselines3.common.env_util import make_vec_env

    return make_vec_env(make, n_envs)


def evaluation_of(workload: AgentWorkload) -> Evaluation:
    """Return ten evaluations in a run, each of a few episodes."""
    if workload.place in TRAFFIC:
        days = selection_seeds(workload.episodes)
        run: Any = partial(measure, load_scenario(workload.place), days)
        return Evaluation(
            run, every=1, times=EVALUATIONS, metric="delay_s_per_vehicle", episodes=workload.episodes
        )
    run = partial(episode_returns, choose("place", workload.place, GYMNASIUM), workload.episodes)
    return Evaluation(
        run, every=1, times=EVALUATIONS, metric="return", maximise=True, episodes=workload.episodes
    )


def episode_returns(make: MakeOne, episodes: int, model: BaseAlgorithm) -> dict[str, float]:
    """Return the mean return and length of whole episodes without exploring."""
    env = make()
    returns, lengths = np.zeros(episodes), np.zeros(episodes)
    for episode in range(episodes):
        seen, _ = env.reset(seed=FIRST_DAY + episode)
        over = False
        while not over:
            action, _ = model.predict(seen, deterministic=True)
            seen, reward, terminated, truncated, _ = env.step(action)
            over = terminated or truncated
            returns[episode] += float(reward)
            lengths[episode] += 1
    env.close()
    return {"return": float(returns.mean()), "length": float(lengths.mean())}
