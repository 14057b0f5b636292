"""The checks: contradictions in a budget, found by arithmetic over its figures, and what it leaves open.

Each check takes the budget and gives a finding for every place where it does not hold, so none where it does.
"""

from __future__ import annotations

from collections.abc import Iterator

from kit.timing.budget.cost_checks import double_buffer, planning_budgets, products, relative_costs, responses
from kit.timing.budget.entry import MEASURED
from kit.timing.budget.figures import Figures
from kit.timing.budget.findings import ASSUMED, CONTRADICTION, OPEN, Case, Check, Finding, apart
from kit.timing.budget.memory_checks import memory, training_memory
from kit.timing.budget.plan_file import PlanFile, Stage
from kit.timing.budget.processor import names
from kit.timing.budget.quantity import plain
from kit.timing.budget.show import show, show_figure
from kit.timing.budget.totals import Total


def find(plan: PlanFile, figures: Figures, total: Total) -> tuple[Finding, ...]:
    """Run every check; contradictions first, then what is assumed, then what is open."""
    case = Case(plan, figures, total)
    return tuple(finding for check in CHECKS for finding in check(case))


def batches(case: Case) -> Iterator[Finding]:
    """Effective batch = batch × accumulation × GPUs."""
    for stage in case.plan.stages.values():
        parts = [case.value(stage, field) for field in ("batch_size", "accumulation", "gpus")]
        stated = case.value(stage, "effective_batch")
        if stated is None or any(part is None for part in parts):
            continue
        made = plain(1.0)
        for part in parts:
            made = made * plain(part.low, part.high) if part else made
        if apart(made, stated):
            factors = " × ".join(show(part, "") if part else "" for part in parts[:2])
            text = (
                f"An effective batch of {show(stated, '')} is stated, but {factors} on {show(parts[2], 'GPU')} "
                f"make {show(made, '')}."
            )
            yield case.finding(CONTRADICTION, "batches", f"{stage.name}.effective_batch", text)


def said_twice(case: Case) -> Iterator[Finding]:
    """What the plan says of one figure at two places is the same."""
    for name, figure in case.figures.items():
        other = figure.entry.elsewhere
        if other is None or figure.quantity is None or figure.replaced:
            continue
        if (other.low, other.high) != (figure.quantity.low, figure.quantity.high):
            field = figure.entry.field
            text = f"Given as {show_figure(field, figure.quantity)}, and elsewhere as {show_figure(field, other)}."
            yield case.finding(CONTRADICTION, "said_twice", name, text)


def measurements(case: Case) -> Iterator[Finding]:
    """A probe ran on a card of the stage, and with the stage's batch."""
    for stage in case.plan.stages.values():
        for field in stage.fields:
            figure = case.figures[f"{stage.name}.{field}"]
            machine = figure.entry.machine
            if figure.mark == MEASURED and machine and not any(names(machine, card) for card in stage.cards):
                text = f"Measured on {machine}, which is none of {', '.join(stage.cards)}."
                yield case.finding(CONTRADICTION, "measurements", figure.entry.name, text)
        yield from _probe_batch(case, stage)


def _probe_batch(case: Case, stage: Stage) -> Iterator[Finding]:
    pair = [case.figures.get(f"{stage.name}.{field}") for field in ("step_time", "samples_per_s")]
    stated = case.value(stage, "effective_batch")
    if stated is None or any(one is None or one.mark != MEASURED for one in pair):
        return
    step, rate = (one.quantity for one in pair if one is not None)
    if step is not None and rate is not None and apart(made := step * rate, stated):
        text = f"The probe took {show(made, '')} samples a step; the effective batch is {show(stated, '')}."
        yield case.finding(CONTRADICTION, "measurements", f"{stage.name}.step_time", text)


def assumptions(case: Case) -> Iterator[Finding]:
    """Every figure has a value of the plan's own."""
    for name, figure in case.figures.items():
        if figure.entry.assumed and not figure.replaced:
            value = show_figure(figure.entry.field, figure.quantity)
            text = f"Assumed {value}: {figure.entry.assumed}."
            yield case.finding(ASSUMED, "assumptions", name, text)


def unknowns(case: Case) -> Iterator[Finding]:
    """Every figure that is asked for is known."""
    for name, figure in case.figures.items():
        if figure.quantity is None:
            what = figure.entry.field.meaning if figure.entry.field else "a shared figure"
            yield case.finding(OPEN, "unknowns", name, f"No value is given ({what}).")


CHECKS: tuple[Check, ...] = (
    batches,
    memory,
    training_memory,
    relative_costs,
    responses,
    products,
    planning_budgets,
    double_buffer,
    said_twice,
    measurements,
    assumptions,
    unknowns,
)
