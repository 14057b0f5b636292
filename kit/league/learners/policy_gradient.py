"""The policy gradient: −advantage · log π(answer | prompt), over exactly the tokens that were sampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from kit.errors import UsageError
from kit.league.learners.settings import LENGTH_CONSTANT, LearnerSettings, positive_number
from kit.league.trajectory import Step
from kit.lm.language_model import LanguageModel
from kit.lm.scoring import Scores, score

Backward = Callable[[torch.Tensor, Sequence[Step]], None]
"""Takes the gradient of a loss that these steps have."""


def micro_batches(steps: Sequence[Step], size: int) -> Iterator[list[int]]:
    """Yield the numbers of the steps that pass through the model together, those of like length beside each other.

    A batch's loss is a sum, so the order changes no more than its rounding, and padding costs less.
    """
    order = sorted(range(len(steps)), key=lambda i: len(steps[i].prompt_ids) + len(steps[i].token_ids))
    for start in range(0, len(order), size):
        yield order[start : start + size]


@dataclass(frozen=True)
class PolicyGradient:
    """L = −Σ_i Σ_t (A_i w_it log π(a_it | …) + c H_it) / Z, with one Z for the whole batch, however it is cut up.

    H_it is the entropy of the distribution that the token is drawn from, as the policy is now; c H keeps a policy from
    becoming sure by chance (Williams & Peng 1991; Mnih et al. 2016).
    Z is steps × ``max_generation_len`` (LENGTH_CONSTANT) or the tokens of the batch (TOKEN_AVERAGE).

    Attributes:
        settings: of the learner.
        entropy_coefficient: c, in units of the reward a nat; 0: entropy is measured and plays no part.
        importance_clip: where given, w_it = min(π_now / π_then, importance_clip) of each token, as a constant:
            truncated importance weights (Ionides 2008) for steps of an older policy. None: w = 1.
    """

    settings: LearnerSettings
    importance_clip: float | None = None
    entropy_coefficient: float = 0.0

    def __post_init__(self) -> None:
        if self.importance_clip is not None:
            positive_number("importance_clip", self.importance_clip)
        if not 0.0 <= self.entropy_coefficient < math.inf:
            raise UsageError(
                f"entropy_coefficient must be at least 0 and finite, not {self.entropy_coefficient}."
            )

    def accumulate(
        self, lm: LanguageModel, steps: Sequence[Step], advantages: Sequence[float], backward: Backward
    ) -> dict[str, float]:
        """Add the gradients of the batch, a micro-batch at a time, and return its metrics.

        ``loss``; ``tokens``; ``mean_logprob`` and ``entropy`` of a token (nats; the entropy of the distributions that
        the sampled tokens were drawn from, as the policy is now); ``logprob_change``, mean |log π_now − log π_then|,
        no more than rounding for steps of the policy as it is; ``mean_importance`` where weights were asked for.

        Raises:
            UsageError: the batch has no token.
        """
        tokens = sum(len(step.token_ids) for step in steps)
        if not tokens:
            raise UsageError(f"A batch of {len(steps)} steps has no token to learn from.")
        constant = self.settings.loss == LENGTH_CONSTANT
        divisor = len(steps) * self.settings.max_generation_len if constant else tokens
        sums = dict.fromkeys(("loss", "logprob", "entropy", "change", "importance"), 0.0)
        for numbers in micro_batches(steps, self.settings.mini_batch_size):
            part = [steps[number] for number in numbers]
            scores = self._scores(lm, part)
            loss, measured = self._loss(scores, part, [advantages[number] for number in numbers])
            backward(loss / divisor, part)
            for name, value in measured.items():
                sums[name] += value
        return self._metrics(sums, divisor, tokens)

    def _scores(self, lm: LanguageModel, steps: Sequence[Step]) -> Scores:
        return score(
            lm,
            [step.prompt_ids for step in steps],
            [step.token_ids for step in steps],
            temperature=[step.temperature for step in steps],
            max_length=self.settings.max_train_len,
            entropy=True,
            entropy_gradient=self.entropy_coefficient > 0.0,
        )

    def _loss(
        self, scores: Scores, steps: Sequence[Step], advantages: Sequence[float]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return the sum over the micro-batch, and sums over its tokens for the metrics."""
        now, mask = scores.logprobs, scores.mask
        then = torch.zeros_like(now.detach())
        then[mask] = then.new_tensor([one for step in steps for one in step.logprobs])
        change = now.detach() - then
        weights = now.new_tensor(advantages).unsqueeze(1).expand_as(now)
        ratio = change.exp().clamp(max=self.importance_clip) * mask if self.importance_clip else mask.float()
        loss = -(weights * ratio * now).sum() - self.entropy_coefficient * scores.entropy.sum()
        entropy = scores.entropy.detach().sum()
        sums = torch.stack([loss.detach(), now.detach().sum(), entropy, change.abs().sum(), ratio.sum()])
        names = ("loss", "logprob", "entropy", "change", "importance")
        return loss, dict(zip(names, sums.tolist(), strict=True))

    def _metrics(self, sums: dict[str, float], divisor: int, tokens: int) -> dict[str, float]:
        metrics = {
            "loss": sums["loss"] / divisor,
            "mean_logprob": sums["logprob"] / tokens,
            "entropy": sums["entropy"] / tokens,
            "logprob_change": sums["change"] / tokens,
            "tokens": float(tokens),
        }
        if self.importance_clip is not None:
            metrics["mean_importance"] = sums["importance"] / tokens
        return metrics
