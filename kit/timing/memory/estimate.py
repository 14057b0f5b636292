"""An estimate of memory: rows of bytes with a reason each, whether they fit, and the largest size that does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One term: ``bytes`` held at the peak, and why; ``assumed`` marks a figure from experience, which is no count."""

    name: str
    bytes: int
    reason: str
    assumed: bool = False


@dataclass(frozen=True)
class Estimate:
    """What is held at the moment that needs most.

    Attributes:
        rows: the terms that are live at that moment.
        peak_at: its name.
        moments: the bytes of every moment that was looked at, by name.
    """

    rows: tuple[Row, ...]
    peak_at: str = ""
    moments: Mapping[str, int] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        """Return the sum of all rows, in bytes."""
        return sum(row.bytes for row in self.rows)

    def bytes_of(self, name: str) -> int:
        """Return the bytes of the rows of this name; 0 where there is none."""
        return sum(row.bytes for row in self.rows if row.name == name)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        rows = [
            {"name": row.name, "bytes": row.bytes, "reason": row.reason, "assumed": row.assumed}
            for row in self.rows
        ]
        return {
            "rows": rows,
            "total_bytes": self.total_bytes,
            "peak_at": self.peak_at,
            "moments": dict(self.moments),
        }

    @classmethod
    def at_peak(cls, moments: Mapping[str, list[Row]]) -> Estimate:
        """Return the estimate of the moment that holds most; rows without bytes are left out."""
        totals = {name: sum(row.bytes for row in rows) for name, rows in moments.items()}
        peak = max(totals, key=lambda name: totals[name])
        return cls(tuple(row for row in moments[peak] if row.bytes), peak, totals)


def fits(estimate: Estimate, vram_bytes: int) -> bool:
    """Return whether the estimate is within so many bytes."""
    return estimate.total_bytes <= vram_bytes


def largest(estimate_of: Callable[[int], Estimate], vram_bytes: int, at_most: int) -> int:
    """Return the largest whole number from 1 to ``at_most`` whose estimate fits, by bisection; 0: not even 1 does.

    ``estimate_of`` must not fall as its argument grows: a length in tokens, a batch in sequences.
    """
    low, high = 0, at_most + 1
    while high - low > 1:
        middle = (low + high) // 2
        if fits(estimate_of(middle), vram_bytes):
            low = middle
        else:
            high = middle
    return low
