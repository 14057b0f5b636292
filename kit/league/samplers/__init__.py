"""Samplers: which game comes next, and against whom. Pure Python; every draw comes from the seed it is given."""

from kit.league.samplers.env_samplers import (
    ENV_SAMPLERS,
    BaseEnvSampler,
    RecentRewardEnvSampler,
    UniformRandomEnvSampler,
    WeightedEnvSampler,
)
from kit.league.samplers.match_quality import MatchQualityModelSampler
from kit.league.samplers.model_samplers import (
    BaseModelSampler,
    FixedOpponentModelSampler,
    LaggedModelSampler,
    MirrorModelSampler,
)
from kit.league.samplers.prioritised import PrioritisedModelSampler
from kit.league.samplers.table import MODEL_SAMPLERS

__all__ = [
    "ENV_SAMPLERS",
    "MODEL_SAMPLERS",
    "BaseEnvSampler",
    "BaseModelSampler",
    "FixedOpponentModelSampler",
    "LaggedModelSampler",
    "MatchQualityModelSampler",
    "MirrorModelSampler",
    "PrioritisedModelSampler",
    "RecentRewardEnvSampler",
    "UniformRandomEnvSampler",
    "WeightedEnvSampler",
]
