"""Scoring: how likely a model finds answers that are there already, token for token, with gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from kit.errors import UsageError
from kit.lm.head_positions import logits_at
from kit.lm.padding import cut_left, padded

if TYPE_CHECKING:
    from kit.lm.language_model import LanguageModel

ENTROPY_AT_ONCE = 2**22
"""Probabilities that are looked at together: their entropy must not cost as much memory as the logits did."""

Tokens = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Scores:
    """What a model says of B answers, the longest of them with T tokens.

    Attributes:
        logprobs: (B, T), of each token of an answer, natural logarithm, fp32; 0 at the padding.
        mask: (B, T), true where there is a token, false at the padding on the right.
        entropy: (B, T), of the distribution that each token is drawn from, in nats, with a gradient where that was
            asked for; 0 at the padding, and everywhere where it was not asked for.
    """

    logprobs: torch.Tensor
    mask: torch.Tensor
    entropy: torch.Tensor


def token_logprobs(
    lm: LanguageModel,
    prompts: Tokens,
    answers: Tokens,
    *,
    temperature: float | Sequence[float] = 1.0,
    max_length: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log-probabilities (B, T) of the answers' tokens and their mask (B, T); see ``score``."""
    scores = score(lm, prompts, answers, temperature=temperature, max_length=max_length)
    return scores.logprobs, scores.mask


def score(
    lm: LanguageModel,
    prompts: Tokens,
    answers: Tokens,
    *,
    temperature: float | Sequence[float] = 1.0,
    max_length: int | None = None,
    entropy: bool = False,
    entropy_gradient: bool = False,
) -> Scores:
    """Score ``answers`` to ``prompts`` (token ids) under the adapter in use, differentiably.

    log p(answer | prompt) = Σ_t log softmax(logits_t / temperature)[answer_t]: the distribution that it is sampled
    from, the untempered one at temperature 0. Logits are computed where a token of an answer is predicted.

    Args:
        lm: the model; what follows a token in its row, padding included, plays no part in the token's score.
        prompts: a row each, one token at the least.
        answers: a row each, the stop token included.
        temperature: of all rows, or one for each.
        max_length: tokens of prompt and answer together that are looked at: a longer prompt loses tokens on its
            left, down to one. The answer is never cut.
        entropy: whether that is wanted too; its memory is small, its time that of one more softmax.
        entropy_gradient: whether it is differentiable, which takes the memory of the logits once more.

    Raises:
        UsageError: there are not as many answers as prompts, a prompt is empty, or a temperature is negative.
        ContextLengthError: prompt and answer are longer than the model's context.
    """
    kept = _cut(prompts, answers, max_length)
    lengths = [len(answer) for answer in answers]
    rows, places, columns = _positions(lm, kept, lengths)
    ids = padded(lm, [[*prompt, *answer[:-1]] for prompt, answer in zip(kept, answers, strict=True)])
    logits = logits_at(lm.module, ids, rows, columns).float()
    logprobs = torch.log_softmax(_tempered(logits, temperature, rows, len(kept)), dim=-1)
    targets = torch.tensor([token for answer in answers for token in answer], device=lm.device)
    chosen = logprobs.gather(1, targets.long().unsqueeze(1)).squeeze(1)
    blank = chosen.new_zeros((len(kept), max(lengths, default=0)))
    found = None
    if entropy_gradient:
        found = -(logprobs.exp() * logprobs).sum(-1)
    elif entropy:
        found = _entropy(logprobs.detach())
    return Scores(
        blank.index_put((rows, places), chosen),
        torch.zeros_like(blank, dtype=torch.bool).index_put((rows, places), torch.ones_like(rows).bool()),
        blank.index_put((rows, places), found) if found is not None else blank,
    )


def _cut(prompts: Tokens, answers: Tokens, max_length: int | None) -> list[Sequence[int]]:
    if not prompts or len(prompts) != len(answers):
        raise UsageError(
            f"There are {len(prompts)} prompts and {len(answers)} answers; each needs the other."
        )
    rooms = [None if max_length is None else max_length - len(answer) for answer in answers]
    return [cut_left(prompt, room) for prompt, room in zip(prompts, rooms, strict=True)]


def _positions(
    lm: LanguageModel, prompts: Tokens, lengths: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return for every token of every answer its row, its place in the answer, and where its logits stand.

    The first token of an answer is predicted at the last of its prompt.
    """
    found = [
        (row, place, len(prompts[row]) - 1 + place)
        for row, length in enumerate(lengths)
        for place in range(length)
    ]
    table = torch.tensor(found, dtype=torch.int64, device=lm.device).reshape(-1, 3)
    rows, places, columns = table.unbind(1)
    return rows, places, columns


def _tempered(
    logits: torch.Tensor, temperature: float | Sequence[float], rows: torch.Tensor, batch: int
) -> torch.Tensor:
    each = [temperature] * batch if isinstance(temperature, int | float) else list(temperature)
    if len(each) != batch or not all(one >= 0.0 for one in each):
        raise UsageError(f"temperature must be at least 0, one or {batch} of them, not {temperature}.")
    divisors = [one or 1.0 for one in each]
    if len(set(divisors)) == 1:
        return logits / divisors[0]
    return logits / logits.new_tensor(divisors)[rows].unsqueeze(1)


@torch.no_grad()
def _entropy(logprobs: torch.Tensor) -> torch.Tensor:
    """Return −Σ p log p of each row of (N, V), a few rows at a time."""
    at_once = max(1, ENTROPY_AT_ONCE // logprobs.shape[1])
    parts = [torch.special.entr(part.exp()).sum(-1) for part in torch.split(logprobs, at_once)]
    return torch.cat(parts)
