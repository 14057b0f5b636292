"""The total by the plan's formula, in GPU-hours, storage and money.

    total = one-time + core × seeds + ablations + online × seeds + contingency

Contingency is a share of the sum before it. It goes on GPU-hours and money, not on storage. The same sum
over planning budgets, with the upper end of a run where a stage has none, is what would be set aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kit.errors import UsageError
from kit.timing.budget.fields import GROUPS, PER_SEED
from kit.timing.budget.figures import Figures
from kit.timing.budget.plan_file import PlanFile, Stage
from kit.timing.budget.quantity import Quantity, plain
from kit.timing.budget.units import GPU_TIME, SIZE, TIME, Dimension


@dataclass(frozen=True)
class Cost:
    """What something costs: GPU-hours, GPU-hours set aside, hours of the machine, bytes, money; each low to high.

    ``storage_known`` is False where a stage in it does not say what it leaves: the sum is then a lower bound.
    """

    hours: Quantity
    planned: Quantity
    machine: Quantity
    storage: Quantity
    money: Quantity
    storage_known: bool = True

    def times(self, factor: Quantity) -> Cost:
        """Return the cost of ``factor`` of it."""
        return Cost(
            self.hours * factor,
            self.planned * factor,
            self.machine * factor,
            self.storage * factor,
            self.money * factor,
            self.storage_known,
        )


@dataclass(frozen=True)
class StageCost:
    """A stage: the cost of one run, how many runs there are in all (runs × seeds), and what they cost together."""

    stage: Stage
    run: Cost
    repeats: Quantity
    total: Cost


@dataclass(frozen=True)
class Total:
    """Stages, groups, their sum, the contingency on it, and everything. ``currency`` is that of the prices."""

    stages: tuple[StageCost, ...]
    groups: dict[str, Cost]
    before: Cost
    contingency: Cost
    all: Cost
    currency: str


def total(plan: PlanFile, figures: Figures) -> Total:
    """Add the stages up. Raises UsageError where prices are in several currencies."""
    currency = _currency(plan, figures)
    stages = tuple(_stage_cost(stage, figures) for stage in plan.stages.values())
    groups = {
        group: _sum((one.total for one in stages if one.stage.group == group), currency) for group in GROUPS
    }
    before = _sum(groups.values(), currency)
    share = _known(figures, "plan.contingency")
    nothing = Quantity(0.0, 0.0, SIZE)
    contingency = before.times(share)
    contingency = Cost(
        contingency.hours, contingency.planned, contingency.machine, nothing, contingency.money
    )
    return Total(stages, groups, before, contingency, _sum((before, contingency), currency), currency)


def _stage_cost(stage: Stage, figures: Figures) -> StageCost:
    hours = _known(figures, f"{stage.name}.gpu_hours")
    planning = figures.get(f"{stage.name}.planning_budget")
    upper = Quantity(hours.high, hours.high, GPU_TIME)
    planned = planning.quantity if planning and planning.quantity else upper
    storage = figures[f"{stage.name}.storage"].quantity
    price = _known(figures, f"cards.{stage.cards[0]}.price")
    machine = hours / _known(figures, f"{stage.name}.gpus")
    run = Cost(
        hours, planned, machine, storage or Quantity(0.0, 0.0, SIZE), hours * price, storage is not None
    )
    repeats = figures[f"{stage.name}.runs"].quantity if f"{stage.name}.runs" in figures else None
    repeats = repeats or plain(1.0)
    if stage.group in PER_SEED:
        repeats = repeats * _known(figures, "plan.seeds")
    return StageCost(stage, run, repeats, run.times(repeats))


def _sum(costs: Iterable[Cost], currency: str) -> Cost:
    parts = list(costs)

    def add(dimension: Dimension, part: Callable[[Cost], Quantity]) -> Quantity:
        summed = Quantity(0.0, 0.0, dimension)
        for cost in parts:
            summed = summed + part(cost)
        return summed

    return Cost(
        add(GPU_TIME, lambda cost: cost.hours),
        add(GPU_TIME, lambda cost: cost.planned),
        add(TIME, lambda cost: cost.machine),
        add(SIZE, lambda cost: cost.storage),
        add(((currency, 1),), lambda cost: cost.money),
        all(cost.storage_known for cost in parts),
    )


def _currency(plan: PlanFile, figures: Figures) -> str:
    """Return the currency of all prices; a card's price has the dimension money per GPU and time."""
    found: dict[str, str] = {}
    for card in plan.cards:
        dimension = _known(figures, f"cards.{card}.price").dimension
        found.setdefault(next(base for base, exponent in dimension if exponent > 0), card)
    if len(found) > 1:
        named = ", ".join(f"{currency} ({card})" for currency, card in found.items())
        place = plan.root.entries["cards"].place
        raise place.error(f"Prices in several currencies cannot be added up: {named}.")
    return next(iter(found))


def _known(figures: Figures, name: str) -> Quantity:
    figure = figures[name]
    if figure.quantity is None:
        raise UsageError(f"{figure.entry.place}: It is needed for the total.")
    return figure.quantity
