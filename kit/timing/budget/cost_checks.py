"""Checks of costs: hours that follow from others, budgets that hold them, and risks that are paid for twice."""

from __future__ import annotations

from collections.abc import Iterator

from kit.timing.budget.findings import CONTRADICTION, TOLERANCE, Case, Finding, apart
from kit.timing.budget.plan_file import Stage
from kit.timing.budget.quantity import Quantity, plain
from kit.timing.budget.show import show


def relative_costs(case: Case) -> Iterator[Finding]:
    """GPU-hours of a run = those of a sample at the stage it is relative to × factor × samples."""
    for stage in case.plan.stages.values():
        implied = _implied_hours(case, stage)
        stated = case.value(stage, "gpu_hours")
        if implied is None or stated is None or not apart(implied, stated):
            continue
        base = case.plan.stages[stage.relative_to]
        sample = _sample_time(case, base)
        text = (
            f"{show(stated, 'GPU-h')} are stated, but a sample of {base.name} costs {show(sample, 'GPU-s')}; "
            f"{show(case.value(stage, 'cost_factor'), 'x')} that over {show(case.value(stage, 'dataset_size'), '')} "
            f"samples are {show(implied, 'GPU-h')}."
        )
        yield case.finding(CONTRADICTION, "relative_costs", f"{stage.name}.gpu_hours", text)


def responses(case: Case) -> Iterator[Finding]:
    """A cost factor for each prompt leaves something for generation beside the update on its responses."""
    for stage in case.plan.stages.values():
        factor, answers = case.value(stage, "cost_factor"), case.value(stage, "responses_per_prompt")
        if factor and answers and factor.high <= answers.low * (1 + TOLERANCE):
            text = (
                f"{show(answers, '')} responses to a prompt are as many sequences to update on. Were each as long as a "
                f"sample of {stage.relative_to or 'the other stage'}, the updates alone would cost "
                f"{show(answers, 'x')}; {show(factor, 'x')} leaves nothing for generating them."
            )
            yield case.finding(CONTRADICTION, "responses", f"{stage.name}.cost_factor", text)


def products(case: Case) -> Iterator[Finding]:
    """GPU-hours of a run = time × how often × GPUs, where all of these are given."""
    for stage in case.plan.stages.values():
        gpus, stated = case.value(stage, "gpus"), case.value(stage, "gpu_hours")
        for time, times in (("time_per_epoch", "epochs"), ("duration", None)):
            each, often = case.value(stage, time), case.value(stage, times) if times else plain(1.0)
            if gpus is None or stated is None or each is None or often is None:
                continue
            made = each * plain(often.low, often.high) * gpus
            overhead = case.value(stage, "evaluation_overhead")
            if overhead is not None:
                made = made * (plain(1.0) + plain(overhead.low, overhead.high))
            if apart(made, stated):
                words = time.replace("_", " ") + (f" × {times}" if times else "")
                text = f"{show(stated, 'GPU-h')} are stated; {words} × GPUs are {show(made, 'GPU-h')}."
                yield case.finding(CONTRADICTION, "products", f"{stage.name}.gpu_hours", text)


def planning_budgets(case: Case) -> Iterator[Finding]:
    """A planning budget is not below what it is the budget for."""
    for stage in case.plan.stages.values():
        planned, hours = case.value(stage, "planning_budget"), case.value(stage, "gpu_hours")
        if planned and hours and planned.high < hours.high:
            text = f"{show(planned, 'GPU-h')} are set aside for a run that may take {show(hours, 'GPU-h')}."
            yield case.finding(CONTRADICTION, "planning_budgets", f"{stage.name}.planning_budget", text)


def double_buffer(case: Case) -> Iterator[Finding]:
    """The same risk is not bought off twice: by buffers in planning budgets, and by contingency on top of them."""
    share = case.figures["plan.contingency"].quantity
    buffered = [
        one for one in case.total.stages if one.run.planned.high > one.run.hours.high * (1 + TOLERANCE)
    ]
    if share is None or not share.high or not buffered:
        return
    named = ", ".join(
        f"{one.stage.name} {show(one.run.hours, 'GPU-h')} → {show(one.run.planned, 'GPU-h')}"
        for one in buffered
    )
    text = (
        f"Buffers in the planning budgets ({named}) and {show(share, '%')} contingency count the same risk twice. "
        f"Together they make {show(case.total.all.planned, 'GPU-h')}; planning budgets alone are "
        f"{show(case.total.before.planned, 'GPU-h')}, contingency alone makes {show(case.total.all.hours, 'GPU-h')}."
    )
    yield case.finding(CONTRADICTION, "double_buffer", "plan.contingency", text)


def _implied_hours(case: Case, stage: Stage) -> Quantity | None:
    if not stage.relative_to:
        return None
    sample = _sample_time(case, case.plan.stages[stage.relative_to])
    factor, size = case.value(stage, "cost_factor"), case.value(stage, "dataset_size")
    if sample is None or factor is None or size is None:
        return None
    return sample * plain(factor.low, factor.high) * plain(size.low, size.high)


def _sample_time(case: Case, stage: Stage) -> Quantity | None:
    """Return the GPU time of one sample in one epoch."""
    epoch, gpus, size = (case.value(stage, field) for field in ("time_per_epoch", "gpus", "dataset_size"))
    return epoch * gpus / size if epoch and gpus and size else None
