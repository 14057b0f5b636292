"""The exact-resume matrix: ``python -m tests.sb3.matrix OUT --cut N`` trains its cells, each up to its N-th cut.

A cell is an algorithm with a number of environments, with or without VecNormalize, and perhaps a variant. The last
line printed is a JSON object: for each cell the status, the step, the hash of the weights and whether it is exact.
"""

import argparse
import hashlib
import json
import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import sb3_contrib
import stable_baselines3
from sb3_contrib.common.envs import InvalidActionEnvDiscrete
from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecMonitor, VecNormalize

from kit import TrainingSession
from kit.harness.cadence import Cadence
from kit.report.process import ReportProcess
from kit.sb3 import Evaluation, learn
from tests.crash.trainer import OFTEN, stop_at, weights_of

STEPS = 160
CUTS = 2
OFF_POLICY: dict[str, Any] = {"learning_starts": 30, "buffer_size": 120, "batch_size": 8, "train_freq": 2}
ROLLOUT: dict[str, Any] = {"n_steps": 8, "batch_size": 8, "n_epochs": 2}
SETTINGS: dict[str, dict[str, Any]] = {
    "DQN": OFF_POLICY | {"target_update_interval": 20},
    "QRDQN": OFF_POLICY | {"target_update_interval": 20},
    "SAC": OFF_POLICY,
    "TD3": OFF_POLICY | {"policy_delay": 8},  # most rows hold the actor's loss of an earlier update
    "DDPG": OFF_POLICY,
    "A2C": {"n_steps": 5},
    "PPO": ROLLOUT,
    "RecurrentPPO": ROLLOUT,
    "MaskablePPO": ROLLOUT,
}
CONTINUOUS = ("SAC", "TD3", "DDPG")
VARIANTS: dict[str, tuple[str, ...]] = {
    "gsde": ("SAC", "PPO", "A2C"),
    "gaussian": ("TD3", "DDPG", "SAC"),
    "ornstein-uhlenbeck": ("TD3", "DDPG"),
    "schedule": ("DQN", "PPO", "SAC"),
    "dict": ("PPO", "SAC"),
    "frames": ("PPO", "DQN"),
}
"""What else is varied, and with which algorithms; each with one environment and, normalised, with four."""


@dataclass(frozen=True)
class Cell:
    """One combination that a resumed run has to be exact with."""

    algorithm: str
    n_envs: int
    normalised: bool
    variant: str = ""

    def __str__(self) -> str:
        parts = (self.algorithm, str(self.n_envs), "normalised" if self.normalised else "plain", self.variant)
        return "-".join(part for part in parts if part)

    @property
    def cuts(self) -> list[int]:
        """The steps after which its sessions stop, drawn for each cell, a rollout (32 steps at most) before the end."""
        return sorted(random.Random(str(self)).sample(range(5, STEPS - 40), CUTS))


CELLS = [
    Cell(algorithm, n_envs, normalised)
    for algorithm in SETTINGS
    for n_envs in (1, 4)
    for normalised in (False, True)
] + [
    Cell(algorithm, n_envs, normalised, variant)
    for variant, algorithms in VARIANTS.items()
    for algorithm in algorithms
    for n_envs, normalised in ((1, False), (4, True))
]


class Parted(gymnasium.ObservationWrapper):  # type: ignore[type-arg]
    """Pendulum with a dictionary observation."""

    def __init__(self) -> None:
        super().__init__(gymnasium.make("Pendulum-v1", max_episode_steps=30))
        box = gymnasium.spaces.Box
        self.observation_space = gymnasium.spaces.Dict({"angle": box(-1, 1, (2,)), "speed": box(-8, 8, (1,))})

    def observation(self, observation: Any) -> dict[str, Any]:
        """Return angle and speed apart."""
        return {"angle": observation[:2], "speed": observation[2:]}


def make_one(cell: Cell, number: int) -> Any:
    """Make one of the environments; its episodes end within the run."""
    if cell.variant == "dict":
        return Parted()
    if cell.algorithm == "MaskablePPO":
        masked = InvalidActionEnvDiscrete(dim=5, n_invalid_actions=2, ep_length=12)
        masked.action_space.seed(number)  # it samples from it, and reset(seed=…) does not seed it
        return masked
    if cell.algorithm in CONTINUOUS or cell.variant == "gsde":
        return gymnasium.make("Pendulum-v1", max_episode_steps=30)
    return gymnasium.make("CartPole-v1")


def make_env(cell: Cell) -> Any:
    """Make the vectorised environment with its wrappers."""
    env = VecMonitor(DummyVecEnv([partial(make_one, cell, number) for number in range(cell.n_envs)]))
    if cell.variant == "frames":
        env = VecFrameStack(env, 3)
    if not cell.normalised:
        return env
    return VecNormalize(env, norm_obs=not isinstance(env.observation_space, gymnasium.spaces.Discrete))


def settings_of(cell: Cell) -> dict[str, Any]:
    """Return the hyperparameters."""
    found = SETTINGS[cell.algorithm] | {"policy_kwargs": {"net_arch": [8]}}
    if cell.algorithm == "RecurrentPPO":
        found["policy_kwargs"] = {"net_arch": [8], "lstm_hidden_size": 8}
    if cell.variant == "gsde":
        found["use_sde"] = True
    if cell.variant == "gaussian":
        found["action_noise"] = NormalActionNoise(np.zeros(1), np.full(1, 0.2))
    if cell.variant == "ornstein-uhlenbeck":
        found["action_noise"] = OrnsteinUhlenbeckActionNoise(np.zeros(1), np.full(1, 0.5), dt=0.1)
    if cell.variant == "schedule":
        found["learning_rate"] = LinearSchedule(1e-2, 1e-4, 1.0)
        found |= {"exploration_fraction": 0.9} if cell.algorithm == "DQN" else {}
    return found


def measure(model: Any) -> dict[str, float]:
    """Return what the policy does where observations are fixed; draws nothing."""
    space = model.observation_space
    flat = gymnasium.spaces.flatten_space(space)
    values = np.linspace(-1, 1, flat.shape[0], dtype=np.float32)
    observation = (
        1 if isinstance(space, gymnasium.spaces.Discrete) else gymnasium.spaces.unflatten(space, values)
    )
    action, _ = model.predict(observation, deterministic=True)
    return {"action": float(np.sum(action))}


def train(cell: Cell, out: Path, cut_at: int | None = None) -> list[Any]:
    """Train a cell, or go on with what is there; return the status, the step, a hash of the weights, and exact."""
    random.seed(3)
    np.random.seed(3)
    algorithm = getattr(stable_baselines3, cell.algorithm, None) or getattr(sb3_contrib, cell.algorithm)
    policy = {"RecurrentPPO": "MlpLstmPolicy"}.get(cell.algorithm, "MlpPolicy")
    policy = "MultiInputPolicy" if cell.variant == "dict" else policy
    options: dict[str, Any] = {"out": out, "cadence": Cadence(**OFTEN), "metrics_every": 10}
    evaluation = Evaluation(run=measure, every=60, metric="action", maximise=True)
    with TrainingSession.open(str(cell), total_timesteps=STEPS, config={"seed": 3}, **options) as session:
        if cut_at is not None:
            stop_at(session, cut_at)
        model = learn(
            session, algorithm, policy, lambda: make_env(cell), evaluation=evaluation, **settings_of(cell)
        )
    summary = session.close()
    digest = hashlib.sha256(weights_of(model.policy)).hexdigest()[:16]
    return [summary["status"], summary["step"], digest, summary["exact"]]


def main() -> None:
    """Train the cells one after another, as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--cells", nargs="*", choices=[str(cell) for cell in CELLS])
    parser.add_argument("--cut", type=int, help="which of a cell's cuts to stop at; without it: none")
    chosen = parser.parse_args()
    ReportProcess._ask = lambda *_: False  # type: ignore[method-assign]  # figures are no part of what is compared
    cells = [cell for cell in CELLS if not chosen.cells or str(cell) in chosen.cells]
    if chosen.cut is not None and chosen.cut % 2:
        cells.reverse()  # what else a process has trained before decides nothing
    found = {
        str(cell): train(cell, chosen.out / str(cell), None if chosen.cut is None else cell.cuts[chosen.cut])
        for cell in cells
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
