"""StepBuffer: single steps, for learners that take each by itself (REINFORCE)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kit.league.buffer import BaseBuffer
from kit.league.draws import draw_one, draw_order
from kit.league.packed_steps import pack, unpack
from kit.league.trajectory import Step, Trajectory


class StepBuffer(BaseBuffer):
    """Takes games apart into steps; a batch is drawn without replacement, and is gone from the buffer.

    Each step is worth the final reward of its player, as shaped, plus what the step transforms add: without a critic
    the outcome of the game is every move's advantage. That is no return over steps: nothing may sum these rewards.
    """

    def __init__(self, max_buffer_size: int, **transformations: Any) -> None:
        super().__init__(max_buffer_size, **transformations)
        self._steps: list[Step] = []

    def __len__(self) -> int:
        return len(self._steps)

    def _shaped(self, trajectory: Trajectory, final: float) -> list[Step]:
        return [
            replace(step, reward=float(self.step(trajectory, index, final)))
            for index, step in enumerate(trajectory.steps)
        ]

    def _take(self, steps: list[Step]) -> None:
        self._steps.extend(steps)

    def _make_room(self) -> None:
        while len(self._steps) > self.max_buffer_size:
            self._steps.pop(draw_one(range(len(self._steps)), self.seed, "evict", self._evictions))
            self._evictions += 1
            self.evicted += 1

    def sample(self, batch_size: int) -> list[Step]:
        """Draw ``batch_size`` steps, take them out, and return them with the sampling transforms applied.

        Raises:
            UsageError: there are not so many.
        """
        self._must_hold(batch_size)
        order = draw_order(len(self._steps), batch_size, self.seed, "batch", self._batches)
        self._batches += 1
        batch, taken = [self._steps[place] for place in order], set(order)
        self._steps = [step for place, step in enumerate(self._steps) if place not in taken]
        return self._sampled(batch)

    def state_dict(self) -> dict[str, Any]:
        """Return the steps beside what every buffer keeps."""
        return super().state_dict() | {"steps": pack(self._steps)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back."""
        super().load_state_dict(state)
        self._steps = unpack(state["steps"])
