"""Every figure of a budget with its value and its mark: formulas evaluated in the order of their needs.

A formula over estimates is an estimate; one measured figure among those it follows from makes it a projection. A figure
that has a ``projection`` keeps its estimate until a figure named in it is measured, or projected itself.
"""

from __future__ import annotations

import graphlib
from collections.abc import Mapping
from dataclasses import dataclass

from kit.errors import UsageError
from kit.timing.budget.entry import ESTIMATED, MEASURED, PROJECTED, UNKNOWN, Entry
from kit.timing.budget.fields import STAGE_FIELDS
from kit.timing.budget.formula import Formula
from kit.timing.budget.plan_file import PlanFile
from kit.timing.budget.quantity import Quantity


@dataclass(frozen=True)
class Figure:
    """A figure: how the file gives it, its value and mark (None and ``unknown``), and the formula that was used."""

    entry: Entry
    quantity: Quantity | None
    mark: str
    formula: Formula | None = None

    @property
    def replaced(self) -> bool:
        """Whether a measurement or a projection stands in the place of what the plan says."""
        return self.mark == MEASURED or self.formula is not self.entry.formula


Figures = Mapping[str, Figure]


def resolve(plan: PlanFile) -> dict[str, Figure]:
    """Return every figure by name, in the order of the file.

    Raises:
        UsageError: A formula names no figure, goes in a circle (the figures are named in order), needs an unknown
        figure, mixes dimensions or comes to something that its field cannot be.
    """
    _check_names(plan)
    chosen = _chosen(plan)
    figures: dict[str, Figure] = {}
    for name in _order(plan, chosen):
        entry, formula = plan.entries[name], chosen[name]
        needs = [figures[other] for other in _needs(plan, entry, formula)]
        quantity = entry.literal if formula is None else _value(plan, entry, formula, figures)
        mark = UNKNOWN if entry.unknown else entry.mark
        if formula is not None:
            mark = PROJECTED if any(one.mark != ESTIMATED for one in needs) else ESTIMATED
        figures[name] = Figure(entry, quantity, mark, formula)
    return {name: figures[name] for name in plan.entries}


def _check_names(plan: PlanFile) -> None:
    """Refuse names that no figure has, nor will have: a projection may name what its stage does not give yet."""
    for entry in plan.entries.values():
        for name in entry.formula.names if entry.formula else ():
            _full_name(plan, entry, name)
        for formula in entry.projections:
            for name in formula.names:
                stage, _, field = _dotted(entry, name).rpartition(".")
                if not (stage in plan.stages and field in STAGE_FIELDS):
                    _full_name(plan, entry, name)


def _dotted(entry: Entry, name: str) -> str:
    return name if "." in name else f"{entry.name.rpartition('.')[0]}.{name}"


def _full_name(plan: PlanFile, entry: Entry, name: str) -> str:
    """Return the name of the figure that a formula of ``entry`` calls ``name``: its own stage's, or stage.field."""
    full = _dotted(entry, name)
    if full not in plan.entries:
        home = entry.name.rpartition(".")[0]
        near = [other.removeprefix(f"{home}.") for other in plan.entries if not other.startswith("cards.")]
        raise entry.place.unknown("figure", name, near)
    return full


def _needs(plan: PlanFile, entry: Entry, formula: Formula | None) -> list[str]:
    return [_full_name(plan, entry, name) for name in formula.names] if formula else []


def _chosen(plan: PlanFile) -> dict[str, Formula | None]:
    """Return which formula each figure follows, if any.

    Figures that rest on a measurement are found in rounds, so that a projection is chosen because of what is nearer to
    the measurement than itself. One that would need the very figure it is for is passed over: two figures may be each
    other's projection, and the one that is measured decides.
    """
    chosen = {name: entry.formula for name, entry in plan.entries.items()}
    backed = {name for name, entry in plan.entries.items() if entry.mark != ESTIMATED}
    while True:
        found = set()
        for name, entry in plan.entries.items():
            if name in backed:
                continue
            usable = [one for one in entry.projections if _usable(plan, entry, one, chosen)]
            formulas = [*usable, *filter(None, [entry.formula])]
            formula = next((one for one in formulas if backed.intersection(_needs(plan, entry, one))), None)
            if formula is not None:
                chosen[name] = formula
                found.add(name)
        if not found:
            return chosen
        backed |= found


def _usable(plan: PlanFile, entry: Entry, formula: Formula, chosen: Mapping[str, Formula | None]) -> bool:
    """Whether every figure of a projection is given, and none follows from the figure that it is for."""
    if not all(_dotted(entry, name) in plan.entries for name in formula.names):
        return False
    ahead, seen = _needs(plan, entry, formula), set[str]()
    while ahead:
        name = ahead.pop()
        if name == entry.name:
            return False
        if name not in seen:
            seen.add(name)
            ahead += _needs(plan, plan.entries[name], chosen[name])
    return True


def _order(plan: PlanFile, chosen: Mapping[str, Formula | None]) -> list[str]:
    needs = {name: _needs(plan, plan.entries[name], formula) for name, formula in chosen.items()}
    try:
        return list(graphlib.TopologicalSorter(needs).static_order())
    except graphlib.CycleError as error:
        names = list(reversed(error.args[1]))  # graphlib goes from what is needed to what needs it
        circle = " → ".join(names)
        raise plan.entries[names[0]].place.error(f"A circular formula: {circle}.") from error


def _value(plan: PlanFile, entry: Entry, formula: Formula, figures: Figures) -> Quantity:
    def lookup(name: str) -> Quantity:
        found = figures[_full_name(plan, entry, name)].quantity
        if found is None:
            raise UsageError(f"{name} is unknown, so nothing can follow from it.")
        return found

    try:
        return entry.check(formula.value(lookup))
    except UsageError as error:
        if str(error).startswith(str(entry.place)):
            raise
        text = f"= {formula.text}: {error}"
        raise entry.place.error(text, error.nearest) from error
