"""Drawing from a seed: what an opponent leaves to chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from kit.league.seeds import derived_seed

T = TypeVar("T")


def chance(seed: int, what: str) -> float:
    """Return a number from 0 (included) to 1 (excluded), its own for each ``what``."""
    return (derived_seed(seed, what) >> 10) / 2**53


def drawn(options: Sequence[T], seed: int, what: str) -> T:
    """Return one of ``options``, each equally likely."""
    return options[int(chance(seed, what) * len(options))]


def drawn_by_weight(weights: Mapping[str, float], seed: int, what: str) -> str:
    """Return one of the names, each as likely as its weight (they sum to 1)."""
    left = chance(seed, what)
    likely = [(name, weight) for name, weight in weights.items() if weight > 0.0]
    for name, weight in likely:
        if left < weight:
            return name
        left -= weight
    return likely[-1][0]
