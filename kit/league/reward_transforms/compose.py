"""Composed reward transforms: several, one after another, as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from kit.errors import UsageError
from kit.league.reward_transforms.final import FinalRewardTransform
from kit.league.reward_transforms.sampling import SamplingRewardTransform
from kit.league.reward_transforms.step import StepRewardTransform
from kit.league.reward_transforms.transform import RewardTransform
from kit.league.trajectory import Step, Trajectory

Kind = TypeVar("Kind", bound=RewardTransform)


class _Composed(Generic[Kind]):
    """Several transforms, whose state is the list of theirs."""

    def __init__(self, transforms: Sequence[Kind]) -> None:
        self.transforms = tuple(transforms)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each, in their order."""
        return {"transforms": [one.state_dict() for one in self.transforms]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back.

        Raises:
            UsageError: they were other ones.
        """
        states = state["transforms"]
        if len(states) != len(self.transforms):
            raise UsageError(f"The state is of {len(states)} transforms, here are {len(self.transforms)}.")
        for one, its in zip(self.transforms, states, strict=True):
            one.load_state_dict(its)


class ComposeFinalRewardTransforms(_Composed[FinalRewardTransform], FinalRewardTransform):
    """Final reward transforms in a row; none leave the reward as it is."""

    def __call__(self, reward: float, pid: int, env_id: str | None = None) -> float:
        """Return the reward after all of them."""
        for one in self.transforms:
            reward = one(reward, pid, env_id)
        return reward


class ComposeStepRewardTransforms(_Composed[StepRewardTransform], StepRewardTransform):
    """Step reward transforms in a row; each is given what the one before it made of the reward."""

    def __call__(self, player_traj: Trajectory, step_index: int, reward: float) -> float:
        """Return the reward after all of them."""
        for one in self.transforms:
            reward = one(player_traj, step_index, reward)
        return reward


class ComposeSamplingRewardTransforms(_Composed[SamplingRewardTransform], SamplingRewardTransform):
    """Sampling reward transforms in a row."""

    def __call__(self, steps: list[Step]) -> list[Step]:
        """Return the steps after all of them."""
        for one in self.transforms:
            steps = one(steps)
        return steps
