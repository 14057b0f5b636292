"""Draws: choices as a function of what is chosen, without a generator whose state would have to be kept.

Each takes the parts of a derived seed; the same parts draw the same again, on every machine and in every order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from kit.errors import UsageError
from kit.league.seeds import derived_seed

T = TypeVar("T")


def draw_uniform(*parts: int | str) -> float:
    """Return a number in [0, 1): the upper 53 bits of the derived seed."""
    return (derived_seed(*parts) >> 10) / 2**53


def draw_one(items: Sequence[T], *parts: int | str) -> T:
    """Return one of ``items``, each as likely (to within their number in 2^63).

    Raises:
        UsageError: there are none.
    """
    if not items:
        raise UsageError("Nothing can be drawn: there is nothing to draw from.")
    return items[derived_seed(*parts) % len(items)]


def draw_weighted(items: Sequence[T], weights: Sequence[float], *parts: int | str) -> T:
    """Return one of ``items`` by its weight; where all weights are 0 each is as likely.

    Raises:
        UsageError: there are none, or a weight is negative or not finite.
    """
    for weight in weights:
        if not (math.isfinite(weight) and weight >= 0.0):
            raise UsageError(f"A weight must be finite and at least 0, not {weight}.")
    total = math.fsum(weights)
    if not total > 0.0:
        return draw_one(items, *parts)
    left = draw_uniform(*parts) * total
    last = items[0]
    for item, weight in zip(items, weights, strict=True):
        if weight > 0.0:
            left, last = left - weight, item
            if left < 0.0:
                break
    return last


def draw_order(count: int, taken: int, *parts: int | str) -> list[int]:
    """Return ``taken`` different numbers below ``count`` in random order: the beginning of a Fisher-Yates shuffle."""
    moved: dict[int, int] = {}
    drawn = []
    for place in range(taken):
        other = place + derived_seed(*parts, place) % (count - place)
        drawn.append(moved.get(other, other))
        moved[other] = moved.get(place, place)
    return drawn
