"""Anchor: a penalty for going away from the model as it was loaded, which keeps self-play from going in circles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from kit.errors import UsageError
from kit.league.learners.policy_gradient import micro_batches
from kit.league.learners.settings import LearnerSettings
from kit.league.trajectory import Step
from kit.lm.language_model import LanguageModel
from kit.lm.scoring import score


@dataclass(frozen=True)
class Anchor:
    """Rewards minus β times an estimate of KL(π ‖ π₀), where π₀ is the model without an adapter.

    A step of answer a to prompt s is worth

        r − β (k − mean of k over the batch),   k = Σ_t log π(a_t | …) − log π₀(a_t | …),

    π as it was when the tokens were drawn: the sampled estimate of the penalised objective E[r] − β KL(π ‖ π₀)
    (Ziegler et al. 2019, equation 2), its mean taken off as a baseline. In two-player zero-sum games policy gradients
    without it circle around an equilibrium; with it the policy itself is drawn towards that of the penalised game
    (Perolat et al. 2021; Sokota et al. 2023), which lies the nearer to an equilibrium of the game the smaller β is.

    Attributes:
        coefficient: β, in units of the reward a nat; 0: nothing is taken off, and nothing computed.
    """

    coefficient: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.coefficient < math.inf:
            raise UsageError(f"kl_coefficient must be at least 0 and finite, not {self.coefficient}.")

    def anchored(
        self,
        lm: LanguageModel,
        steps: Sequence[Step],
        settings: LearnerSettings,
        on_micro_batch: Callable[[], object] = lambda: None,
    ) -> tuple[list[float], dict[str, float]]:
        """Return the rewards of ``steps``, less the penalty, and as metrics ``kl``, the mean of k, in nats."""
        rewards = [step.reward for step in steps]
        if self.coefficient == 0.0:
            return rewards, {}
        away = self._log_ratios(lm, steps, settings, on_micro_batch)
        mean = math.fsum(away) / len(away)
        pairs = zip(rewards, away, strict=True)
        return [reward - self.coefficient * (one - mean) for reward, one in pairs], {"kl": mean}

    def _log_ratios(
        self,
        lm: LanguageModel,
        steps: Sequence[Step],
        settings: LearnerSettings,
        on_micro_batch: Callable[[], object],
    ) -> list[float]:
        found = [0.0] * len(steps)
        with torch.no_grad(), lm.using(None):
            for numbers in micro_batches(steps, settings.mini_batch_size):
                part = [steps[number] for number in numbers]
                scores = score(
                    lm,
                    [step.prompt_ids for step in part],
                    [step.token_ids for step in part],
                    temperature=[step.temperature for step in part],
                    max_length=settings.max_train_len,
                )
                for number, total in zip(numbers, scores.logprobs.sum(1).tolist(), strict=True):
                    found[number] = math.fsum(steps[number].logprobs) - total
                on_micro_batch()
        return found
