"""REINFORCE (Williams 1992): a step's reward, shaped before it gets here, is its advantage; there is no baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit.league.learners.base import BaseLearner
from kit.league.learners.policy_gradient import PolicyGradient
from kit.league.trajectory import Step


class Reinforce(BaseLearner):
    """L = −Σ reward · log π(answer | prompt) over a batch of steps; see PolicyGradient for what divides it.

    Prompts and answers are the tokens that were sampled from and drawn; no text is tokenised here.
    """

    _importance_clip: float | None = None

    def initialize_algorithm(self, *, importance_clip: float | None = None, **settings: Any) -> None:
        """Set the truncated importance weights' limit (None: no weights), and what every learner can set late."""
        super().initialize_algorithm(**settings)
        self._importance_clip = PolicyGradient(self.settings, importance_clip).importance_clip

    def _update(self, batch: Sequence[Step]) -> dict[str, float]:
        rewards = [step.reward for step in batch]
        gradient = PolicyGradient(self.settings, self._importance_clip)
        return gradient.accumulate(self.lm, batch, rewards, self.backward)
