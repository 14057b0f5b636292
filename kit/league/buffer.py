"""What both buffers share: how games come in, how rewards are shaped on the way, and when there is enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kit.errors import UsageError
from kit.league.game_record import GameRecord
from kit.league.reward_transforms import (
    ComposeFinalRewardTransforms,
    ComposeSamplingRewardTransforms,
    ComposeStepRewardTransforms,
    FinalRewardTransform,
    SamplingRewardTransform,
    StepRewardTransform,
)
from kit.league.trajectory import Step, Trajectory

FIRST = 4
"""Games in flight until one has ended; each that has ended allows as many more."""


class BaseBuffer:
    """Steps to learn from, counted one by one whatever they are kept in; ``max_buffer_size`` is a number of steps.

    Rewards are shaped in three pipelines: the final reward of each player once, when its game comes in; each step's
    then; those of a batch when it is drawn. What a step is worth before its own transforms is the buffer's to say.

    Back-pressure: ``continue_collection`` says no as soon as what is held and what the games in flight will bring, at
    the mean of the games so far, fills the buffer. As nobody knows at first how long a game is, and those that end
    first are the shortest, the number in flight also starts at ``FIRST`` and grows with the games that have ended. What
    comes in nevertheless pushes out others at random, and is counted in ``evicted``. A game that broke brings nothing,
    and is counted in ``broken``.
    """

    def __init__(
        self,
        max_buffer_size: int,
        *,
        final_reward_transformation: FinalRewardTransform | None = None,
        step_reward_transformation: StepRewardTransform | None = None,
        sampling_reward_transformation: SamplingRewardTransform | None = None,
        seed: int = 0,
    ) -> None:
        if max_buffer_size < 1:
            raise UsageError(f"max_buffer_size must be at least 1 step, not {max_buffer_size}.")
        self.max_buffer_size, self.seed = max_buffer_size, seed
        self.final: FinalRewardTransform = final_reward_transformation or ComposeFinalRewardTransforms([])
        self.step: StepRewardTransform = step_reward_transformation or ComposeStepRewardTransforms([])
        self.sampling: SamplingRewardTransform = (
            sampling_reward_transformation or ComposeSamplingRewardTransforms([])
        )
        self.games = self.added = self.evicted = self.broken = 0
        self._evictions = self._batches = 0

    def __len__(self) -> int:
        """Return the number of steps held."""
        raise NotImplementedError

    # In

    def add(self, record: GameRecord) -> None:
        """Take in a game: the steps of those who learn from it, with their rewards shaped.

        Raises:
            UsageError: a transform gave a reward that is not finite.
        """
        if record.fault:
            self.broken += 1
            return
        self.games += 1
        for trajectory in record.trajectories:
            final = self.final(trajectory.final_reward, trajectory.pid, trajectory.env_id)
            shaped = self._shaped(trajectory, final)
            _refuse_not_finite(shaped)
            self.added += len(shaped)
            self._take(shaped)
        self._make_room()

    def _shaped(self, trajectory: Trajectory, final: float) -> list[Step]:
        raise NotImplementedError

    def _take(self, steps: list[Step]) -> None:
        raise NotImplementedError

    def _make_room(self) -> None:
        raise NotImplementedError

    # Out

    def ready(self, batch_size: int) -> bool:
        """Say whether ``batch_size`` steps are there.

        Raises:
            UsageError: so many never will be.
        """
        if not 1 <= batch_size <= self.max_buffer_size:
            raise UsageError(
                f"batch_size must be 1 to {self.max_buffer_size} (max_buffer_size), not {batch_size}."
            )
        return len(self) >= batch_size

    def continue_collection(self, in_flight: int = 0) -> bool:
        """Say whether another game should begin while ``in_flight`` games of training are under way."""
        mean_steps = self.added / self.games if self.games else 1.0
        if in_flight >= FIRST * (1 + self.games):
            return False
        return len(self) + in_flight * mean_steps < self.max_buffer_size

    def _must_hold(self, batch_size: int) -> None:
        if not self.ready(batch_size):
            raise UsageError(f"{batch_size} steps were asked for, {len(self)} are there: ask ready() first.")

    def _sampled(self, steps: list[Step]) -> list[Step]:
        """Return a batch with the sampling transforms applied, which may change rewards but drop nothing."""
        done = self.sampling(steps)
        if len(done) != len(steps):
            raise UsageError(
                f"The sampling transforms made {len(done)} steps of {len(steps)}: they may drop none."
            )
        _refuse_not_finite(done)
        return done

    # Seen and kept

    def view(self) -> dict[str, Any]:
        """Return what the terminal shows, as plain values."""
        return {
            "steps": len(self),
            "capacity": self.max_buffer_size,
            "games": self.games,
            "evicted": self.evicted,
            "broken": self.broken,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what is held, the counts that draws are derived from, and the transforms' own state."""
        return {
            "counts": [
                self.games,
                self.added,
                self.evicted,
                self.broken,
                self._evictions,
                self._batches,
            ],
            "final": self.final.state_dict(),
            "step": self.step.state_dict(),
            "sampling": self.sampling.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        counts = (int(one) for one in state["counts"])
        self.games, self.added, self.evicted, self.broken, self._evictions, self._batches = counts
        self.final.load_state_dict(state["final"])
        self.step.load_state_dict(state["step"])
        self.sampling.load_state_dict(state["sampling"])


def _refuse_not_finite(steps: Sequence[Step]) -> None:
    for step in steps:
        if not math.isfinite(step.reward):
            raise UsageError(
                f"The reward of game {step.game} ({step.env_id}), player {step.pid}, turn {step.turn} came out of the "
                f"transforms as {step.reward}: it must be finite."
            )
