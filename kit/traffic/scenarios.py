"""Scenarios by name: where an agent is trained and compared, on whatever simulator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import gymnasium
import numpy as np

from kit.errors import UnknownNameError
from kit.traffic.controllers import Controller
from kit.traffic.counts import read_counts
from kit.traffic.demand import PROFILES, profile
from kit.traffic.embedded import EmbeddedScenario
from kit.traffic.evaluation import EpisodeResult

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

SUMO = ("cologne1", "ingolstadt1")
"""Scenarios on SUMO: real cities."""

NAMES = (*PROFILES, *SUMO)
"""All names that ``load_scenario`` knows; it also takes the path of a CSV file of counts."""


class Scenario(Protocol):
    """One signalised intersection and its days, on some simulator."""

    @property
    def name(self) -> str:
        """How it is called."""

    @property
    def kind(self) -> str:
        """``embedded`` or ``sumo``."""

    @property
    def horizon_decisions(self) -> int:
        """Length of an episode, decisions."""

    @property
    def interval_s(self) -> float:
        """Seconds between two decisions."""

    def make_env(self, seed: int, reward: str = "delay") -> gymnasium.Env[np.ndarray, Any]:
        """Return a single environment; ``reset(seed=...)`` plays that very day."""

    def make_vec_env(self, n_envs: int, seed: int, reward: str = "delay") -> VecEnv:
        """Return ``n_envs`` parallel environments on training days, which begin anew by themselves."""

    def run_episodes(
        self, controller: Controller, seeds: Sequence[int], reward: str = "delay"
    ) -> list[EpisodeResult]:
        """Play the days ``seeds`` with one controller, each in a fresh simulation."""

    def baselines(self, training_seeds: Sequence[int]) -> list[Controller]:
        """Return what a policy has to beat; searches use these days only."""


def load_scenario(name: str | Path) -> Scenario:
    """Return a scenario by its name, or one made from a CSV file of counts.

    Args:
        name: one of `NAMES`, or a path ending in ``.csv``.

    Raises:
        UnknownNameError: neither.
        UsageError: the file is missing or bad.
        MissingDependencyError: the scenario runs on SUMO, which is not installed.
    """
    text = str(name)
    if text in PROFILES:
        return EmbeddedScenario(profile(text))
    if text in SUMO:
        from kit.traffic import sumo_scenario  # an optional dependency, loaded only when asked for

        scenario: Scenario = sumo_scenario.load(text)
        return scenario
    if text.lower().endswith(".csv"):
        return EmbeddedScenario(read_counts(Path(text)))
    raise UnknownNameError("scenario", text, (*NAMES, "a path to a .csv of counts"))
