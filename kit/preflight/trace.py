"""What an environment answered: a trace of steps under chance, for checks that need no more than numbers.

Shapes: T steps of E environments side by side, observations flattened to D components.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Episode:
    """One episode that came to its end: steps, and whether it was cut off (``truncated``) or over (else)."""

    env: int
    first: int
    length: int
    truncated: bool


@dataclass(frozen=True)
class Trace:
    """Steps of one vectorised environment under random actions.

    Attributes:
        observations: (T + 1, E, D), the first of them after the reset; after an end, that of the next episode.
        rewards: (T, E).
        dones: (T, E), whether an episode ended with this step.
        truncated: (T, E), whether it was cut off, where it ended.
        low: (D,) the least that the space allows; −∞ where it sets no bound.
        high: (D,) the most.
        without_last: ends that came without their last observation (``terminal_observation``).
    """

    observations: np.ndarray
    rewards: np.ndarray
    dones: np.ndarray
    truncated: np.ndarray
    low: np.ndarray
    high: np.ndarray
    without_last: int = 0
    seen: tuple[Episode, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seen", tuple(self._episodes()))

    @property
    def steps(self) -> int:
        """Steps taken, each in every environment."""
        return len(self.rewards)

    def _episodes(self) -> list[Episode]:
        found = []
        for env in range(self.dones.shape[1]):
            first = 0
            for step in np.flatnonzero(self.dones[:, env]):
                length = int(step) + 1 - first
                found.append(Episode(env, first, length, bool(self.truncated[step, env])))
                first = int(step) + 1
        return found

    def observed(self, episode: Episode) -> np.ndarray:
        """Return (length, D): the observations that the actions of an episode were chosen on."""
        return self.observations[episode.first : episode.first + episode.length, episode.env]
