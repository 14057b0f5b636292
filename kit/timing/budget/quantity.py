"""A quantity: a range from low to high with its dimension, and interval arithmetic on it (Moore 1966).

A figure that stands twice in a formula is taken as two independent ones, so ``a / (1 + a)`` comes out wider than it
is; written as ``1 - 1 / (1 + a)`` it is exact.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from kit.errors import UsageError
from kit.timing.budget.units import EXAMPLES, PLAIN, Dimension, in_words, multiply, parse_unit

NUMBER = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:_[0-9]{3})*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_FORM = re.compile(rf"(-?)({NUMBER})(?:\s*(?:-|–|\bto\b)\s*(-?)({NUMBER}))?\s*([^0-9\s.,][^,]*)?")
FORMS = "'10 h', '150-200 GPU-h', '10,000 samples', '15 %'"


@dataclass(frozen=True)
class Quantity:
    """Everything from ``low`` to ``high``, in base units (seconds, bytes, GPUs, money); ``noun`` is what is counted."""

    low: float
    high: float
    dimension: Dimension = PLAIN
    noun: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise UsageError(f"{self.low} to {self.high} is not finite.")

    def __add__(self, other: Quantity) -> Quantity:
        self._same(other, "added to")
        return Quantity(self.low + other.low, self.high + other.high, self.dimension)

    def __sub__(self, other: Quantity) -> Quantity:
        self._same(other, "subtracted from")
        return Quantity(self.low - other.high, self.high - other.low, self.dimension)

    def __mul__(self, other: Quantity) -> Quantity:
        ends = [one * two for one in (self.low, self.high) for two in (other.low, other.high)]
        return Quantity(min(ends), max(ends), multiply(self.dimension, other.dimension))

    def __truediv__(self, other: Quantity) -> Quantity:
        if other.low <= 0 <= other.high:
            raise UsageError("Division by zero, or by a range that holds zero.")
        ends = [one / two for one in (self.low, self.high) for two in (other.low, other.high)]
        return Quantity(min(ends), max(ends), multiply(self.dimension, other.dimension, -1))

    def __neg__(self) -> Quantity:
        return Quantity(-self.high, -self.low, self.dimension)

    def _same(self, other: Quantity, how: str) -> None:
        if self.dimension != other.dimension:
            raise UsageError(f"{in_words(other.dimension)} cannot be {how} {in_words(self.dimension)}.")

    def in_unit(self, unit: str) -> tuple[float, float]:
        """Return (low, high) in a unit of the same dimension; raises UsageError for another one."""
        found = parse_unit(unit)
        if found.dimension != self.dimension:
            raise UsageError(f"{in_words(self.dimension)} has no value in {unit}.")
        return _clean(self.low / found.factor), _clean(self.high / found.factor)


def plain(low: float, high: float | None = None) -> Quantity:
    """Return a quantity without dimension."""
    return Quantity(low, low if high is None else high)


def parse_quantity(text: str) -> Quantity:
    """Read ``10 h``, ``150-200 GPU-h``, ``150 to 200 GPU-h``, ``10,000 samples``, ``7e9 params``, ``15 %``, ``12``.

    Raises:
        UsageError: No such form, an unknown unit, a negative number, or a range that goes down.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no quantity. Legal: {FORMS}, or a formula that begins with '='.")
    if match[1] or match[3]:
        raise UsageError(f"{text!r} is negative; no figure of a budget is.")
    unit = parse_unit((match[5] or "").strip())
    low = _number(match[2])
    high = _number(match[4]) if match[4] else low
    if low > high:
        raise UsageError(f"{text!r} goes from high to low.")
    return Quantity(low * unit.factor, high * unit.factor, unit.dimension, unit.noun)


def wanted(dimension: Dimension) -> str:
    """Return what a figure of that dimension looks like, for a message."""
    words, example = EXAMPLES.get(dimension, (in_words(dimension), ""))
    return f"{words} is wanted, such as {example!r}." if example else f"{words} is wanted."


def _number(text: str) -> float:
    return float(text.replace(",", "").replace("_", ""))


def _clean(value: float) -> float:
    """Drop the last digits, which are rounding: 0.30000000000000004 is 0.3."""
    return float(f"{value:.12g}")
