"""Which rows go through the model together: of like length, so that few tokens of padding are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

STEP_TOKENS = 64
"""Tokens of prompts that are read in about the time of one step of decoding, however few its rows."""


def row_batches(lengths: Sequence[int], most_rows: int, longest_answer: int) -> Iterator[range]:
    """Yield the places of rows that are batched, for ``lengths`` of their prompts in rising order.

    Rows of a batch are padded to its longest. A batch is cut before that padding costs more to read than the answers of
    a batch of its own cost to decode, which is up to ``longest_answer`` steps: so one prompt that is far longer than
    the others goes alone, and answers of thousands of tokens are rather decoded together. Nothing but the lengths
    decides.
    """
    start, padding = 0, 0
    for place, length in enumerate(lengths):
        more = (place - start) * (length - lengths[place - 1]) if place > start else 0
        if place - start == most_rows or padding + more > longest_answer * STEP_TOKENS:
            yield range(start, place)
            start, padding, more = place, 0, 0
        padding += more
    if start < len(lengths):
        yield range(start, len(lengths))
