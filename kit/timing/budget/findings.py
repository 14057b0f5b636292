"""Findings: what the checks over a budget come to, and what they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kit.timing.budget.figures import Figures
from kit.timing.budget.plan_file import PlanFile, Stage
from kit.timing.budget.quantity import Quantity
from kit.timing.budget.totals import Total

CONTRADICTION, ASSUMED, OPEN = "contradiction", "assumed", "open"
TOLERANCE = 0.02
"""How far two figures may differ and still say the same: they are written with two or three digits."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (contradiction), filled in (assumed) or left out (open), and where."""

    kind: str
    check: str
    place: str
    line: int
    text: str


@dataclass(frozen=True)
class Case:
    """What the checks look at."""

    plan: PlanFile
    figures: Figures
    total: Total

    def value(self, stage: Stage, field: str) -> Quantity | None:
        """Return a figure of a stage; None where it is not given or unknown."""
        figure = self.figures.get(f"{stage.name}.{field}")
        return figure.quantity if figure else None

    def finding(self, kind: str, check: str, name: str, text: str) -> Finding:
        """Return a finding about the figure of that name."""
        return Finding(kind, check, name, self.figures[name].entry.place.line, text)


Check = Callable[[Case], Iterator[Finding]]


def apart(one: Quantity, other: Quantity) -> bool:
    """Whether two ranges have nothing in common, not even within TOLERANCE."""
    return one.high < other.low * (1 - TOLERANCE) or other.high < one.low * (1 - TOLERANCE)
