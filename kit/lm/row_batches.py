"""Which answers go through the model together: those to prompts of like length, so that little padding is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

STEP_TOKENS = 64
"""Tokens of prompts that are read in about the time of one step of decoding, however few its rows."""


def row_batches(prompts: Sequence[Sequence[int]], most: int, longest_answer: int) -> Iterator[range]:
    """Yield the places of ``prompts`` that are answered together, ``most`` at a time; they come sorted by length.

    In a batch equal prompts, which stand beside each other, are read once, and shorter ones are padded to the longest.
    A batch is cut before its padding costs more to read than the answers of a batch of its own cost to decode, which
    is up to ``longest_answer`` steps: so prompts that are far longer than the others go by themselves, and answers of
    thousands of tokens are rather decoded together. Nothing but the prompts decides.
    """
    start, rows, padding = 0, 0, 0
    for place, prompt in enumerate(prompts):
        more = rows * (len(prompt) - len(prompts[place - 1])) if place > start else 0
        if place - start == most or padding + more > longest_answer * STEP_TOKENS:
            yield range(start, place)
            start, rows, padding, more = place, 0, 0, 0
        padding += more
        rows += place == start or prompt != prompts[place - 1]
    if start < len(prompts):
        yield range(start, len(prompts))
