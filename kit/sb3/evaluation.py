"""Evaluation during training: what to measure, how often, and what counts as better."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from stable_baselines3.common.base_class import BaseAlgorithm

from kit.errors import UsageError


@dataclass(frozen=True)
class Evaluation:
    """One measurement of the model on selection seeds, in environments of its own.

    Attributes:
        run: measures the model; returns metrics by name. It must draw nothing from the global generators.
        every: environment steps between two measurements, at least.
        times: how many measurements a run has at most, whatever its total: the interval of a long run is a share of
            it, and a forecast for another total knows. None: as many as ``every`` gives.
        metric: the name that decides which model is the best.
        maximise: whether more of it is better.
        episodes: episodes one measurement takes, for the forecast.
    """

    run: Callable[[BaseAlgorithm], Mapping[str, float]]
    every: int
    metric: str
    maximise: bool = False
    episodes: int = 1
    times: int | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"Evaluation.every must be at least 1 environment step, not {self.every}.")
        if self.times is not None and self.times < 1:
            raise UsageError(f"Evaluation.times must be at least 1 measurement, not {self.times}.")

    def for_total(self, timesteps: int) -> Evaluation:
        """Return it with the interval that a run of so many steps has: ``every``, or a share of the total."""
        share = math.ceil(timesteps / self.times) if self.times is not None else 0
        return replace(self, every=max(self.every, share))

    def better(self, value: float, best: float | None) -> bool:
        """Whether ``value`` beats the best so far; NaN never does."""
        if math.isnan(value):
            return False
        return best is None or (value > best if self.maximise else value < best)

    def settings(self) -> dict[str, object]:
        """What of it decides results."""
        return {
            "every": self.every,
            "metric": self.metric,
            "maximise": self.maximise,
            "episodes": self.episodes,
        }
