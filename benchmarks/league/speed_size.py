"""How much is measured: the whole of it, and so little that it only shows that it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much.

    Attributes:
        repeats: of every figure, alternatives taking turns; the median counts.
        block_s: that games are counted for, seconds.
        in_flight: games at a time.
        rounds: of prompts that are answered again.
        batch: moves in a collection, and in an update.
        warm_up: rounds of the model's warm-up.
    """

    repeats: int = 5
    block_s: float = 1.0
    in_flight: int = 128
    rounds: int = 2
    batch: int = 384
    warm_up: int = 3


SIZES = {"whole": Size(), "tiny": Size(1, 0.02, 6, 1, 12, 1)}
