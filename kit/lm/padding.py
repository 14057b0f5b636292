"""Padded tokens: rows of several lengths as one rectangle, filled up on the right, where no real token looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from kit.errors import ContextLengthError, UsageError

if TYPE_CHECKING:
    from kit.lm.language_model import LanguageModel


def padded(lm: LanguageModel, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return token ids (B, L) of ``rows``, the shorter ones filled up on the right, on the model's device.

    Attention is causal: no token of a row sees what stands to its right, so that no attention mask is needed and
    every row's positions count from 0. What is computed at the padding has to be left out by whoever asks.

    Raises:
        ContextLengthError: a row is longer than the model's context.
    """
    longest = max(map(len, rows))
    if longest > lm.context:
        raise ContextLengthError(f"A sequence has {longest} tokens, the model's context {lm.context}.")
    fill = lm.tokenizer.pad_token_id or 0
    filled = [[*row, *[fill] * (longest - len(row))] for row in rows]
    return torch.tensor(filled, dtype=torch.int64, device=lm.device)


def cut_left(prompt: Sequence[int], room: int | None) -> Sequence[int]:
    """Return the last ``room`` tokens of a prompt (None: all), one at the least: something has to be answered.

    Raises:
        UsageError: the prompt has no token at all.
    """
    if not prompt:
        raise UsageError("A prompt has no token: nothing predicts the first token of its answer.")
    return prompt if room is None else prompt[-max(1, room) :]
