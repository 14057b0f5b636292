"""Training of a stable-baselines3 agent under a session."""

from __future__ import annotations

from functools import partial

import stable_baselines3
from stable_baselines3.common.base_class import BaseAlgorithm

from benchmarks.forecast.places import evaluation_of, make_env
from benchmarks.forecast.workloads import AgentWorkload
from kit.sb3 import learn
from kit.session import TrainingSession


def algorithm_of(workload: AgentWorkload) -> type[BaseAlgorithm]:
    """Return the class that trains."""
    found: type[BaseAlgorithm] = getattr(stable_baselines3, workload.algorithm)
    return found


def train_agent(session: TrainingSession, workload: AgentWorkload) -> None:
    """Train the agent up to the session's total."""
    learn(
        session,
        algorithm_of(workload),
        "MlpPolicy",
        partial(make_env, workload, session.seed),
        evaluation=evaluation_of(workload),
        **workload.hyperparameters(),
    )
