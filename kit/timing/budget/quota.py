"""What a budget means on Kaggle: weeks of its quota, sessions of its length, and the stages that cannot run there."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kit.timing.budget.figures import Figures
from kit.timing.budget.memory_need import memory_need
from kit.timing.budget.quantity import Quantity, plain
from kit.timing.budget.totals import Total

NO, SPLIT, YES, UNKNOWN = "cannot run", "only split over the cards", "fits a card", "unknown"

ROUNDING = 1e-9
"""What binary fractions may add to a whole number of sessions."""


@dataclass(frozen=True)
class Quota:
    """A budget in Kaggle's terms; pairs are low to high, contingency included, at the speed of the budget's cards.

    Attributes:
        weeks: GPU-hours ÷ the quota of a week.
        weeks_billed: hours of the machine ÷ the quota: a machine with several cards is billed once.
        sessions: sessions of full length, each stage run by itself.
        slowdown: hours that Kaggle's card takes for one of the budget's.
        stages: whether each stage fits there: NO, SPLIT, YES, UNKNOWN.
    """

    weeks: tuple[float, float]
    weeks_billed: tuple[float, float]
    sessions: tuple[int, int]
    slowdown: tuple[float, float]
    stages: dict[str, str]


def quota(figures: Figures, total: Total) -> Quota:
    """Return what the total means on Kaggle."""
    week, session = _value(figures, "quota_per_week"), _value(figures, "session")
    slowdown = _value(figures, "slowdown")
    weeks, sessions = total.all.hours / week, total.all.machine / session
    billed = total.all.machine / plain(week.low, week.high)
    return Quota(
        weeks.in_unit(""),
        (billed.low, billed.high),
        (math.ceil(sessions.low - ROUNDING), math.ceil(sessions.high - ROUNDING)),
        (slowdown.low, slowdown.high),
        {one.stage.name: _verdict(figures, one.stage.name) for one in total.stages},
    )


def _value(figures: Figures, name: str) -> Quantity:
    quantity = figures[f"kaggle.{name}"].quantity
    assert quantity is not None
    return quantity


def _verdict(figures: Figures, stage: str) -> str:
    """Hold the least memory that a run needs, on all its GPUs together, against Kaggle's cards."""
    need, gpus = memory_need(figures, stage), figures[f"{stage}.gpus"].quantity
    if need is None or gpus is None:
        return UNKNOWN
    card, cards = _value(figures, "card_memory").low, _value(figures, "cards").low
    if need.low * gpus.low > card * cards:
        return NO
    return YES if need.low <= card and gpus.low <= cards else SPLIT
