"""How the episodes of a quick test's training end, heard step by step as it trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kit.preflight.episodes import EpisodesSeen, Lengths
from kit.sb3.callback import SessionCallback


class EpisodeWatch:
    """Counts the steps of every episode in E environments side by side."""

    def __init__(self) -> None:
        self.steps = 0
        self._began = np.zeros(0, np.int64)
        self._over: list[int] = []
        self._cut: list[int] = []

    def step(self, dones: np.ndarray, infos: Sequence[Mapping[str, Any]]) -> None:
        """Take in one step: (E,) whether an episode ended with it, and what each environment said."""
        if not self.steps:
            self._began = np.zeros(len(dones), np.int64)
        self.steps += 1
        if not dones.any():
            return
        for index in map(int, np.flatnonzero(dones)):
            ended = self._cut if infos[index].get("TimeLimit.truncated") else self._over
            ended.append(self.steps - int(self._began[index]))
            self._began[index] = self.steps

    def seen(self, declared: Mapping[str, int]) -> EpisodesSeen:
        """Return the episodes so far, beside the horizons that their environment declares."""
        under_way = self.steps - int(self._began.min(initial=self.steps))
        return EpisodesSeen(Lengths.of(self._over), Lengths.of(self._cut), under_way, dict(declared))


class ListeningCallback(SessionCallback):
    """The session's callback for a quick test: it also hears how each episode ends."""

    def __init__(self, episodes: EpisodeWatch, *of_the_session: Any) -> None:
        super().__init__(*of_the_session)
        self._episodes = episodes

    def on_step(self) -> bool:
        """Count the step; whether to go on."""
        self._episodes.step(self.locals["dones"], self.locals["infos"])
        return super().on_step()
