"""Reward transforms: how a game's outcome becomes what a learner learns from, at three points of its way."""

from kit.league.reward_transforms.compose import (
    ComposeFinalRewardTransforms,
    ComposeSamplingRewardTransforms,
    ComposeStepRewardTransforms,
)
from kit.league.reward_transforms.final import (
    FinalRewardTransform,
    RoleAdvantageByEnvFormatter,
    RoleAdvantageFormatter,
)
from kit.league.reward_transforms.prompt_value import PromptValue
from kit.league.reward_transforms.sampling import (
    NormalizeRewards,
    NormalizeRewardsByEnv,
    SamplingRewardTransform,
)
from kit.league.reward_transforms.step import (
    PenaltyForInvalidMove,
    RewardForFormat,
    StepRewardTransform,
)

__all__ = [
    "ComposeFinalRewardTransforms",
    "ComposeSamplingRewardTransforms",
    "ComposeStepRewardTransforms",
    "FinalRewardTransform",
    "NormalizeRewards",
    "NormalizeRewardsByEnv",
    "PenaltyForInvalidMove",
    "PromptValue",
    "RewardForFormat",
    "RoleAdvantageByEnvFormatter",
    "RoleAdvantageFormatter",
    "SamplingRewardTransform",
    "StepRewardTransform",
]
