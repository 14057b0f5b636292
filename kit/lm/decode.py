"""The decoding loop: rows that share a fixed prompt go through the model together, a token at a time.

A row's own part is padded on the left, between the fixed part and itself. The padding is masked, and positions count
the row's own tokens, so a row's results depend on the others' lengths only in the last bits of its logits. A row that
has ended leaves the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kit.lm.drawing import draw


@dataclass(frozen=True)
class Batch:
    """What is decoded together.

    Attributes:
        cache: keys and values of the fixed part, a row for each answer; it is filled further.
        fixed: tokens that it has seen.
        tails: each row's own tokens, at least one.
        numbers: uniform in [0, 1), float64, (B, longest answer) on the model's device.
        temperature: of all rows.
        stops: tokens that end an answer.
    """

    cache: Any
    fixed: int
    tails: Sequence[Sequence[int]]
    numbers: torch.Tensor
    temperature: float
    stops: frozenset[int]


@dataclass
class Answer:
    """Tokens drawn for one row, the one that ended it included, and the log-probability of each."""

    tokens: list[int]
    logprobs: list[float]
    ended: bool = False


def decode(module: nn.Module, batch: Batch) -> list[Answer]:
    """Return an answer for each row: until a stop token, or the longest allowed.

    Raises:
        DivergenceError: logits are no finite numbers.
    """
    answers = [Answer([], []) for _ in batch.tails]
    going = list(range(len(answers)))
    rows = _Rows(module, batch)
    logits = rows.read_tails()
    longest = batch.numbers.shape[1]
    for turn in range(longest):
        tokens, logprobs = draw(logits, batch.numbers[going, turn], batch.temperature)
        stay = _record(answers, going, tokens.tolist(), logprobs.tolist(), batch.stops)
        if not stay or turn == longest - 1:
            break
        if len(stay) < len(going):
            going = [going[row] for row in stay]
            rows.keep(stay)
            tokens = tokens[stay]
        logits = rows.read(tokens)
    return answers


def _record(
    answers: list[Answer], going: list[int], tokens: list[int], logprobs: list[float], stops: frozenset[int]
) -> list[int]:
    """Write down what was drawn; return which of the rows that are going go on."""
    stay = []
    for row, (number, token, logprob) in enumerate(zip(going, tokens, logprobs, strict=True)):
        answer = answers[number]
        answer.tokens.append(token)
        answer.logprobs.append(logprob)
        answer.ended = token in stops
        if not answer.ended:
            stay.append(row)
    return stay


class _Rows:
    """The rows that are still going: their cache, mask and next positions."""

    def __init__(self, module: nn.Module, batch: Batch) -> None:
        self._module, self._cache = module, batch.cache
        device = batch.numbers.device
        lengths = [len(tail) for tail in batch.tails]
        width = max(lengths)
        padded = [[0] * (width - len(tail)) + list(tail) for tail in batch.tails]
        self._tails = torch.tensor(padded, device=device)
        self._pads = width - torch.tensor(lengths, device=device)
        self._next = batch.fixed + torch.tensor(lengths, device=device)
        self._seen = batch.fixed + width
        self._mask: torch.Tensor | None = None
        if min(lengths) < width:
            self._mask = self._masked(batch.fixed, width, batch.numbers.shape[1])

    def _masked(self, fixed: int, width: int, longest: int) -> torch.Tensor:
        """Return what may be seen, (B, fixed + width + longest): everything but the padding."""
        mask = torch.ones(
            len(self._pads), fixed + width + longest, dtype=torch.long, device=self._pads.device
        )
        columns = torch.arange(width, device=self._pads.device)
        mask[:, fixed : fixed + width] = columns >= self._pads.unsqueeze(-1)
        return mask

    def read_tails(self) -> torch.Tensor:
        """Run the rows' own tokens through the model; return the logits after them, (B, V)."""
        width = self._tails.shape[1]
        back = torch.arange(width, 0, -1, device=self._tails.device)
        positions = (self._next.unsqueeze(-1) - back).clamp(min=0)
        return self._forward(self._tails, positions)

    def read(self, tokens: torch.Tensor) -> torch.Tensor:
        """Run one more token of each row, (B,), through the model; return the logits after it, (B, V)."""
        positions = self._next.unsqueeze(-1)
        self._next = self._next + 1
        self._seen += 1
        return self._forward(tokens.unsqueeze(-1), positions)

    def _forward(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        mask = None if self._mask is None else self._mask[:, : self._seen]
        logits: torch.Tensor = self._module(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        return logits[:, -1]

    def keep(self, rows: list[int]) -> None:
        """Let the other rows leave."""
        chosen = torch.tensor(rows, device=self._next.device)
        self._cache.batch_select_indices(chosen)
        self._next = self._next[chosen]
        if self._mask is not None:
            self._mask = self._mask[chosen]
