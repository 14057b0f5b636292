"""The model samplers by name, as ``build()`` takes them."""

from __future__ import annotations

from collections.abc import Mapping

from kit.league.samplers.match_quality import MatchQualityModelSampler
from kit.league.samplers.model_samplers import (
    BaseModelSampler,
    FixedOpponentModelSampler,
    LaggedModelSampler,
    MirrorModelSampler,
)
from kit.league.samplers.prioritised import PrioritisedModelSampler

MODEL_SAMPLERS: Mapping[str, type[BaseModelSampler]] = {
    "none": MirrorModelSampler,
    "mirror": MirrorModelSampler,
    "fixed": FixedOpponentModelSampler,
    "lagged": LaggedModelSampler,
    "match-quality": MatchQualityModelSampler,
    "prioritised": PrioritisedModelSampler,
    "pfsp": PrioritisedModelSampler,
}
"""By the names that ``build()`` takes as its ``opponent_sampling_strategy``."""
