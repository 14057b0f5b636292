"""REINFORCE (Williams 1992): a step's reward, shaped before it gets here, is its advantage; there is no baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit.league.learners.anchor import Anchor
from kit.league.learners.base import BaseLearner
from kit.league.learners.policy_gradient import PolicyGradient
from kit.league.trajectory import Step


class Reinforce(BaseLearner):
    """L = −Σ reward · log π(answer | prompt) over a batch of steps; see PolicyGradient for what divides it.

    With ``kl_coefficient`` the reward is less by a penalty for going away from the model as it was loaded.
    Prompts and answers are the tokens that were sampled from and drawn; no text is tokenised here.
    """

    _importance_clip: float | None = None
    _entropy = 0.0
    _anchor = Anchor()

    def initialize_algorithm(
        self,
        *,
        importance_clip: float | None = None,
        kl_coefficient: float = 0.0,
        entropy_coefficient: float = 0.0,
        **settings: Any,
    ) -> None:
        """Set what belongs to REINFORCE, and what every learner can set late.

        Args:
            importance_clip: limit of the truncated importance weights; None: no weights. See PolicyGradient.
            kl_coefficient: β of the penalty for going away from the model as it was loaded. See Anchor.
            entropy_coefficient: c of the bonus for entropy. See PolicyGradient.
            **settings: see BaseLearner.
        """
        super().initialize_algorithm(**settings)
        self._anchor = Anchor(kl_coefficient)
        gradient = PolicyGradient(self.settings, importance_clip, entropy_coefficient)
        self._importance_clip, self._entropy = gradient.importance_clip, gradient.entropy_coefficient

    def _update(self, batch: Sequence[Step]) -> dict[str, float]:
        rewards, measured = self._anchor.anchored(self.lm, batch, self.settings, self.on_micro_batch)
        gradient = PolicyGradient(self.settings, self._importance_clip, self._entropy)
        return gradient.accumulate(self.lm, batch, rewards, self.backward) | measured
