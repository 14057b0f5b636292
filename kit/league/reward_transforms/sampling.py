"""Sampling reward transforms: on a batch, when it is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from kit.league.reward_transforms.transform import RewardTransform
from kit.league.trajectory import Step

EQUAL, ROUNDING = 1e-9, 1e-12
"""Rewards that differ by no more than that share of their size, or by no more than that, are equal: the rest is
rounding, such as 0.1 + 0.2 − 0.3 beside 0."""


class SamplingRewardTransform(RewardTransform):
    """Turns the rewards of a batch into others; it returns as many steps, in the same order."""

    def __call__(self, steps: list[Step]) -> list[Step]:
        """Return the steps with their new rewards."""
        raise NotImplementedError


class NormalizeRewards(SamplingRewardTransform):
    """Takes the batch's mean off each reward; ``z_score`` divides by the standard deviation (that of a population) too.

    Equal rewards become 0: a batch without differences teaches nothing.
    """

    def __init__(self, z_score: bool = False) -> None:
        self.z_score = z_score

    def __call__(self, steps: list[Step]) -> list[Step]:
        """Return the steps with their rewards normalised together."""
        rewards = normalized([step.reward for step in steps], z_score=self.z_score)
        return [replace(step, reward=reward) for step, reward in zip(steps, rewards, strict=True)]


class NormalizeRewardsByEnv(NormalizeRewards):
    """The same, the steps of each environment among themselves."""

    def __call__(self, steps: list[Step]) -> list[Step]:
        """Return the steps with their rewards normalised by environment."""
        places: dict[str, list[int]] = {}
        for place, step in enumerate(steps):
            places.setdefault(step.env_id, []).append(place)
        done = list(steps)
        for there in places.values():
            for place, step in zip(there, super().__call__([steps[place] for place in there]), strict=True):
                done[place] = step
        return done


def normalized(rewards: Sequence[float], *, z_score: bool) -> list[float]:
    """Return ``rewards`` minus their mean, by ``z_score`` over their standard deviation; all 0 where they are equal."""
    if not rewards:
        return []
    low, high = min(rewards), max(rewards)
    if high - low <= max(ROUNDING, EQUAL * max(abs(low), abs(high))):
        return [0.0] * len(rewards)
    mean = math.fsum(rewards) / len(rewards)
    centred = [reward - mean for reward in rewards]
    if not z_score:
        return centred
    deviation = math.sqrt(math.fsum(one * one for one in centred) / len(centred))
    return [one / deviation for one in centred] if deviation > 0.0 else centred
