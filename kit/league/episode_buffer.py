"""EpisodeBuffer: whole episodes, a player's steps of one game, for learners that look along them (A2C)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import numpy as np

from kit.league.buffer import BaseBuffer
from kit.league.draws import draw_one, draw_order
from kit.league.packed_steps import pack, unpack
from kit.league.trajectory import Step, Trajectory


class EpisodeBuffer(BaseBuffer):
    """Keeps each player's steps of a game together and in order.

    The final reward, as shaped, stands in the last step only, where it was earned; to it and to the 0 of every other
    step comes what the step transforms add. Summed along the episode it is there once, whatever sums it.

    What the sampling transforms do to each step a learner sums along the episode: centring takes more off a long one.
    A learner that normalises its advantages wants none of them here.

    Sizes are in steps here too. Eviction takes out whole episodes, and stops before one without which the buffer would
    no longer be full: it may hold the rest of an episode more than its size, but what has filled it once is enough for
    any batch that it can hold, and an episode longer than the buffer is not lost for that alone.
    """

    def __init__(self, max_buffer_size: int, **transformations: Any) -> None:
        super().__init__(max_buffer_size, **transformations)
        self._episodes: list[list[Step]] = []
        self._held = 0

    def __len__(self) -> int:
        return self._held

    def _shaped(self, trajectory: Trajectory, final: float) -> list[Step]:
        last = len(trajectory.steps) - 1
        return [
            replace(step, reward=float(self.step(trajectory, index, final if index == last else 0.0)))
            for index, step in enumerate(trajectory.steps)
        ]

    def _take(self, steps: list[Step]) -> None:
        if steps:  # a player who never moved has nothing to learn from
            self._episodes.append(steps)
            self._held += len(steps)

    def _make_room(self) -> None:
        while self._held > self.max_buffer_size:
            place = draw_one(range(len(self._episodes)), self.seed, "evict", self._evictions)
            left = self._held - len(self._episodes[place])
            if left < self.max_buffer_size:
                break
            self._evictions += 1
            self.evicted += len(self._episodes.pop(place))
            self._held = left

    def sample(self, batch_size: int) -> list[list[Step]]:
        """Draw episodes until they have ``batch_size`` steps or just more, take them out, and return them.

        The sampling transforms see their steps as one batch.

        Raises:
            UsageError: there are not so many steps.
        """
        self._must_hold(batch_size)
        order = draw_order(len(self._episodes), len(self._episodes), self.seed, "batch", self._batches)
        self._batches += 1
        taken: list[int] = []
        steps = 0
        for place in order:
            if steps >= batch_size:
                break
            taken.append(place)
            steps += len(self._episodes[place])
        batch, gone = [self._episodes[place] for place in taken], set(taken)
        self._episodes = [one for place, one in enumerate(self._episodes) if place not in gone]
        self._held -= steps
        sampled = iter(self._sampled(list(chain.from_iterable(batch))))
        return [list(islice(sampled, len(episode))) for episode in batch]

    def state_dict(self) -> dict[str, Any]:
        """Return the episodes, end to end with their lengths, beside what every buffer keeps."""
        return super().state_dict() | {
            "steps": pack(list(chain.from_iterable(self._episodes))),
            "lengths": np.array([len(one) for one in self._episodes], np.int64),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back."""
        super().load_state_dict(state)
        steps = iter(unpack(state["steps"]))
        self._episodes = [list(islice(steps, length)) for length in state["lengths"].tolist()]
        self._held = sum(map(len, self._episodes))
