"""What the numbers show, in a sentence that does not claim more than they do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kit.report.evaluation import ControllerResult, Evaluation
from kit.report.intervals import Interval
from kit.report.quantities import decimal, plural


@dataclass(frozen=True)
class Verdict:
    """The agent against the best baseline; ``kind``: better, worse, none (no difference shown), unknown."""

    kind: str
    headline: str
    detail: str


def judge(evaluation: Evaluation) -> Verdict:
    """Compare the agent with the baseline of the lowest mean delay, by the 95 % interval of the pairs."""
    agent = evaluation.find(evaluation.agent)
    baselines = evaluation.baselines
    if agent is None or not baselines:
        return Verdict(
            "unknown", "Nothing to compare", "The results name no trained controller with a baseline."
        )
    best = baselines[0]
    difference = evaluation.differences.get(best.name)
    against = f"{decimal(agent.delay.mean)} against {decimal(best.delay.mean)} s of delay per vehicle"
    if difference is None or not difference.known:
        return Verdict(
            "unknown",
            f"{agent.name} and {best.name}: too little to tell",
            f"{against}; without at least two seeds that both ran there is no interval, so nothing is shown.",
        )
    kind, headline = _kind(difference, agent.name, best.name)
    return Verdict(kind, headline, f"{against}: {_interval(difference, best)}.{_left_behind(agent, best)}")


def _kind(difference: Interval, agent: str, best: str) -> tuple[str, str]:
    if difference.has_zero:
        return "none", f"No difference shown between {agent} and the best baseline, {best}"
    if difference.high < 0:
        return "better", f"{agent} beats the best baseline, {best}"
    return "worse", f"{agent} is worse than the best baseline, {best}"


def _interval(difference: Interval, best: ControllerResult) -> str:
    seeds = f"over {plural(difference.n, 'paired test seed')}"
    if difference.has_zero:
        return (
            f"the difference is {decimal(difference.mean)} s, and its 95 % interval, "
            f"{decimal(difference.low)} to {decimal(difference.high)} s {seeds}, includes zero"
        )
    less = difference.high < 0
    shown = difference.reversed() if less else difference
    base = best.delay.mean
    percent = f" ({100 * shown.mean / base:.0f} %)" if base > 0 and math.isfinite(base) else ""
    return (
        f"{decimal(shown.mean)} s{percent} {'less' if less else 'more'}, "
        f"95 % interval {decimal(shown.low)} to {decimal(shown.high)} s {seeds}"
    )


def _left_behind(agent: ControllerResult, best: ControllerResult) -> str:
    """Warn where the agent's mean is flattered by vehicles that never arrived."""
    if not agent.mean_unfinished > best.mean_unfinished + 0.5:
        return ""
    return (
        f" Mind that it left more vehicles unfinished when the hour was over: "
        f"{decimal(agent.mean_unfinished)} against {decimal(best.mean_unfinished)}."
    )
