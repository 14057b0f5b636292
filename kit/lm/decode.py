"""The decoding loop: rows that share a fixed prompt go through the model together, a token at a time.

A row's own part is padded on the left, between the fixed part and itself. The padding is masked, and positions count
the row's own tokens, so a row's results depend on the others' lengths only in the last bits of its logits. Answers that
are the same so far share a row: they begin with as many rows as there are distinct prompts, part where other tokens are
drawn, and a row whose answers have all ended leaves the batch.
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
        cache: keys and values of the fixed part, a row for each tail; it is filled further.
        fixed: tokens that it has seen.
        tails: each row's own tokens, at least one; no two are alike.
        asked: for each answer, which of the tails it follows.
        numbers: uniform in [0, 1), float64, (answers, longest answer) on the model's device.
        temperature: of all rows.
        stops: tokens that end an answer.
    """

    cache: Any
    fixed: int
    tails: Sequence[Sequence[int]]
    asked: Sequence[int]
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
    """Return an answer for each of ``batch.asked``: until a stop token, or the longest allowed.

    Raises:
        DivergenceError: logits are no finite numbers.
    """
    answers = [Answer([], []) for _ in batch.asked]
    going, at = list(range(len(answers))), list(batch.asked)
    rows = _Rows(module, batch)
    logits = rows.read_tails()
    longest = batch.numbers.shape[1]
    for turn in range(longest):
        own = logits if _is_whole(at, len(logits)) else logits[at]
        tokens, logprobs = (
            part.tolist() for part in draw(own, batch.numbers[going, turn], batch.temperature)
        )
        stay = _record(answers, going, tokens, logprobs, batch.stops)
        if not stay or turn == longest - 1:
            break
        going = [going[place] for place in stay]
        drawn = [(at[place], tokens[place]) for place in stay]
        number_of = {pair: number for number, pair in enumerate(dict.fromkeys(drawn))}
        at = [number_of[pair] for pair in drawn]
        logits = rows.read(list(number_of))
    return answers


def _is_whole(rows: list[int], count: int) -> bool:
    """Whether these are all rows, in their order."""
    return rows == list(range(count))


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
    """The rows that are still read: their cache, mask and next positions."""

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

    def read(self, drawn: list[tuple[int, int]]) -> torch.Tensor:
        """Go on with pairs (row, its next token), which are the rows from here on; return the logits after, (B, V)."""
        self._keep([row for row, _ in drawn])
        tokens = torch.tensor([[token] for _, token in drawn], device=self._next.device)
        positions = self._next.unsqueeze(-1)
        self._next = self._next + 1
        self._seen += 1
        return self._forward(tokens, positions)

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

    def _keep(self, rows: list[int]) -> None:
        """Let the other rows leave; one that is named twice is there twice."""
        if _is_whole(rows, len(self._next)):
            return
        chosen = torch.tensor(rows, device=self._next.device)
        self._cache.batch_select_indices(chosen)
        self._next = self._next[chosen]
        if self._mask is not None:
            self._mask = self._mask[chosen]
