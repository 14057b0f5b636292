"""The workloads: what a quick test forecasts and a run then does; agents and loops of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kit.errors import choose

SHARE_OF_QUICK = 40
"""A loop of one's own tries one step of so many in its quick test, as agents with a replay buffer do."""
EVALUATIONS = 10
ROWS = 200
"""Rows of metrics.csv and timing.csv in a run, about: windows are cut from them."""


@dataclass(frozen=True)
class AgentWorkload:
    """A stable-baselines3 agent.

    Attributes:
        name: how it is called.
        algorithm: the class in stable_baselines3.
        place: the environment, a name that ``places`` knows.
        net_arch: width of each hidden layer.
        timesteps: environment steps of the run, summed over parallel environments.
        n_envs: parallel environments.
        settings: further hyperparameters.
        episodes: episodes of one evaluation.
    """

    name: str
    algorithm: str
    place: str
    net_arch: tuple[int, ...]
    timesteps: int
    n_envs: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    episodes: int = 3

    def hyperparameters(self) -> dict[str, Any]:
        """Return what the algorithm is given beside policy, environment and seed."""
        return {**self.settings, "policy_kwargs": {"net_arch": list(self.net_arch)}}


@dataclass(frozen=True)
class LoopWorkload:
    """A loop of one's own: a network trained on batches of a DataLoader.

    Attributes:
        name: how it is called.
        network: ``mlp`` (regression on vectors) or ``transformer`` (the next token).
        timesteps: optimizer steps of the run.
        width: features of a hidden layer.
        batch: items in a batch.
    """

    name: str
    network: str
    timesteps: int
    width: int
    batch: int


Workload = AgentWorkload | LoopWorkload

SMALL, WIDE, DEEP = (64, 64), (256, 256), (400, 300)
CARTPOLE_DQN: dict[str, Any] = {
    "learning_rate": 1e-3,
    "buffer_size": 50_000,
    "learning_starts": 1_000,
    "batch_size": 64,
    "train_freq": 4,
    "target_update_interval": 500,
    "exploration_fraction": 0.2,
}
SIGNAL_DQN: dict[str, Any] = {
    "learning_rate": 5e-4,
    "gamma": 0.97,
    "batch_size": 128,
    "buffer_size": 100_000,
    "learning_starts": 500,
    "train_freq": 1,
    "gradient_steps": 4,
    "target_update_interval": 250,
    "exploration_fraction": 0.3,
    "exploration_final_eps": 0.02,
}
SIGNAL_PPO: dict[str, Any] = {
    "learning_rate": 1e-3,
    "gamma": 0.97,
    "n_steps": 240,
    "batch_size": 480,
    "n_epochs": 5,
    "gae_lambda": 0.95,
}
CONTINUOUS: dict[str, Any] = {"learning_rate": 1e-3, "gamma": 0.98, "buffer_size": 100_000}
SAC_SETTINGS = CONTINUOUS | {"learning_starts": 200, "batch_size": 64}
TD3_SETTINGS = CONTINUOUS | {"learning_starts": 200, "batch_size": 100}
PENDULUM_PPO: dict[str, Any] = {"learning_rate": 1e-3, "gamma": 0.9, "n_steps": 1_024, "batch_size": 64}

TABLE: tuple[Workload, ...] = (
    AgentWorkload("dqn-cartpole-small", "DQN", "cartpole", SMALL, 560_000, settings=CARTPOLE_DQN),
    AgentWorkload("ppo-cartpole-large", "PPO", "cartpole", WIDE, 290_000, 4, {"n_steps": 512}),
    AgentWorkload("sac-pendulum-small", "SAC", "pendulum", SMALL, 40_000, settings=SAC_SETTINGS),
    LoopWorkload("loop-mlp", "mlp", 245_000, 64, 64),
    AgentWorkload("a2c-cartpole-small", "A2C", "cartpole", SMALL, 1_600_000, 8),
    AgentWorkload("td3-pendulum-large", "TD3", "pendulum", DEEP, 23_000, settings=TD3_SETTINGS),
    AgentWorkload("ppo-varying", "PPO", "varying", SMALL, 2_800_000, 16, SIGNAL_PPO, 4),
    AgentWorkload("dqn-cartpole-large", "DQN", "cartpole", DEEP, 230_000, settings=CARTPOLE_DQN),
    AgentWorkload("ppo-slow-plate", "PPO", "plate", SMALL, 22_000, 1, {"n_steps": 64, "n_epochs": 4}, 1),
    AgentWorkload("sac-pendulum-large", "SAC", "pendulum", WIDE, 25_000, settings=SAC_SETTINGS),
    LoopWorkload("loop-transformer", "transformer", 2_800, 128, 16),
    AgentWorkload("dqn-varying", "DQN", "varying", SMALL, 160_000, 4, SIGNAL_DQN, 4),
    AgentWorkload("ppo-pendulum-small", "PPO", "pendulum", SMALL, 320_000, settings=PENDULUM_PPO),
    AgentWorkload("td3-pendulum-small", "TD3", "pendulum", SMALL, 67_000, settings=TD3_SETTINGS),
    AgentWorkload("dqn-cologne1", "DQN", "cologne1", SMALL, 60_000, 4, SIGNAL_DQN, 2),
    AgentWorkload("a2c-pendulum-large", "A2C", "pendulum", DEEP, 650_000, 4),
    AgentWorkload("ppo-cartpole-small", "PPO", "cartpole", SMALL, 520_000, 4, {"n_steps": 512}),
)
"""In the order in which they are measured: kinds alternate, so that a busy spell of the machine is not all of one."""
WORKLOADS: dict[str, Workload] = {workload.name: workload for workload in TABLE}


def find_workload(name: str, timesteps: int = 0) -> Workload:
    """Return the workload called ``name``, of ``timesteps`` where that is not 0.

    Raises:
        UnknownNameError: there is none.
    """
    found = choose("workload", name, WORKLOADS)
    return replace(found, timesteps=timesteps) if timesteps else found
