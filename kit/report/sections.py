"""The parts of the page, from top to bottom. Each takes the record and returns markup, or nothing."""

from __future__ import annotations

import math

from kit.report.evaluation import ControllerResult, Evaluation
from kit.report.forecast import Forecast, read_forecast
from kit.report.intervals import Interval
from kit.report.markup import Markup, command, element, join, paragraph, section, table
from kit.report.quantities import count, decimal, duration, share
from kit.report.record import RunRecord, as_number
from kit.report.standing import standing
from kit.report.verdict import judge


def heading(record: RunRecord) -> Markup:
    """The title, the banner with how the run stands, and what ran."""
    stands = standing(record)
    banner = element(
        "div",
        element("strong", stands.headline),
        *(paragraph(sentence) for sentence in stands.sentences),
        command(stands.command) if stands.command else "",
        class_=f"banner {stands.kind}",
        role="status",
    )
    return element("header", element("h1", title(record)), banner, _facts(record))


def title(record: RunRecord) -> str:
    """What ran, in a line: ``traffic_signal · cologne1 · DQN``."""
    parameters = record.parameters
    parts = [record.run.get("notebook"), parameters.get("scenario"), _algorithm(record).upper()]
    words = [str(part) for part in parts if part]
    return " · ".join(words) or f"Run {record.folder.root.name}"


def _algorithm(record: RunRecord) -> str:
    """``stable_baselines3.DQN`` is shown as DQN; the settings have the whole name."""
    return str(record.parameters.get("algorithm") or "").rsplit(".", 1)[-1]


def _facts(record: RunRecord) -> Markup:
    run, summary = record.run, record.summary
    exact = (
        "yes, bit for bit" if summary.get("exact") is True else "no" if summary.get("exact") is False else ""
    )
    step = as_number(summary.get("step"))
    sessions = as_number(summary.get("sessions"))
    facts = {
        "Scenario": record.parameters.get("scenario"),
        "Algorithm": _algorithm(record).upper(),
        "Seed": run.get("seed", record.parameters.get("seed")),
        "Steps": count(step) if math.isfinite(step) else None,
        "Wall time": duration(as_number(summary.get("elapsed_s"))) if "elapsed_s" in summary else None,
        "Sessions": count(sessions) if math.isfinite(sessions) else None,
        "Exact resume": exact,
        "Kit": run.get("kit"),
    }
    tiles = [
        element("div", element("dt", name), element("dd", str(value)))
        for name, value in facts.items()
        if value not in (None, "")
    ]
    return element("dl", *tiles, class_="facts") if tiles else Markup("")


def problems(record: RunRecord, more: tuple[str, ...] = ()) -> Markup:
    """What could not be read, so that nothing is missing in silence."""
    said = [*record.problems, *more]
    items = element("ul", *(element("li", sentence) for sentence in said), class_="problems")
    return section("What could not be read", items) if said else Markup("")


def result(record: RunRecord, comparison: str, hour: str) -> Markup:
    """The agent against the baselines on the test seeds, in words first."""
    evaluation = record.evaluation
    if evaluation is None:
        said = "Not evaluated on test seeds yet: they are used once, by the call that completes the run."
        return section("Result", paragraph(said, class_="muted"), comparison, hour)
    verdict = judge(evaluation)
    box = element(
        "div",
        element("strong", verdict.headline),
        paragraph(verdict.detail),
        class_=f"verdict {verdict.kind}",
    )
    return section("Result", box, comparison, _controllers(evaluation), hour)


def _controllers(evaluation: Evaluation) -> Markup:
    header = (
        "",
        "delay, s/veh",
        f"{evaluation.agent or 'agent'} minus it, s/veh",
        "queue, veh",
        "unfinished",
        "seeds",
    )
    rows = [_controller_row(evaluation, entry) for entry in evaluation.controllers]
    agent = next((i for i, one in enumerate(evaluation.controllers) if one.name == evaluation.agent), -1)
    note = paragraph(
        "Means over the test seeds, ± half of the 95 % interval. Differences are paired by seed. "
        "Unfinished: vehicles still on their way, or waiting to enter, when the hour was over.",
        class_="muted",
    )
    return join((table(header, rows, strong_row=agent), note))


def _controller_row(evaluation: Evaluation, entry: ControllerResult) -> tuple[str, ...]:
    difference = evaluation.differences.get(entry.name)
    shown = "–"
    if difference is not None and difference.known:
        shown = f"{decimal(difference.mean)} ({decimal(difference.low)} to {decimal(difference.high)})"
    unfinished = decimal(entry.mean_unfinished)
    return (
        entry.name,
        _plus_minus(entry.delay),
        shown,
        _plus_minus(entry.queue),
        unfinished,
        count(entry.delay.n),
    )


def _plus_minus(interval: Interval) -> str:
    if not interval.known:
        return decimal(interval.mean)
    return f"{decimal(interval.mean)} ± {decimal((interval.high - interval.low) / 2)}"


def learning(record: RunRecord, curve: str) -> Markup:
    """The learning curve."""
    if curve or not len(record.metrics):
        return section("Learning", curve)
    return section(
        "Learning", paragraph("metrics.csv holds no measurement that could be drawn.", class_="muted")
    )


def time(record: RunRecord, timings: str) -> Markup:
    """The forecast against what came, and the phases."""
    forecast = read_forecast(record)
    parts = [timings, _phases(record, forecast)]
    if forecast is not None:
        parts = [paragraph(forecast.sentence()), _scale(forecast), *parts]
    return section("Time", *parts)


def _scale(forecast: Forecast) -> Markup:
    """Draw the interval, the forecast and the actual time on one line that starts at zero."""
    low, high = forecast.low_s, forecast.high_s
    ends = [value for value in (forecast.predicted_s, high, forecast.actual_s) if math.isfinite(value)]
    longest = 1.05 * max(ends)
    if not (math.isfinite(low) and math.isfinite(high) and longest > 0 and 0 <= low <= high):
        return Markup("")
    at = {
        name: f"{100 * value / longest:.2f}%"
        for name, value in (("low", low), ("point", forecast.predicted_s))
    }
    marks = [
        element("span", class_="range", style=f"left:{at['low']};width:{100 * (high - low) / longest:.2f}%"),
        element("span", class_="predicted", style=f"left:{at['point']}"),
    ]
    keys = [
        join((element("span", class_="key range"), f"interval {duration(low)} to {duration(high)}")),
        join((element("span", class_="key predicted"), f"forecast {duration(forecast.predicted_s)}")),
    ]
    if forecast.comparable:
        marks.append(element("span", class_="actual", style=f"left:{100 * forecast.actual_s / longest:.2f}%"))
        keys.append(join((element("span", class_="key"), f"took {duration(forecast.actual_s)}")))
    line = element("div", *marks, class_="scale", aria_hidden="true")
    return join((line, element("p", *(element("span", key) for key in keys), class_="keys muted")))


def _phases(record: RunRecord, forecast: Forecast | None) -> Markup:
    if not record.phases:
        return Markup("")
    total = math.fsum(phase.total_s for phase in record.phases)
    foretold = forecast.phase_s if forecast is not None and forecast.comparable else {}
    header = ["phase", "times", "each", "wall", "share", "CPU", *(["forecast"] if foretold else [])]
    rows = []
    for phase in record.phases:
        row = [
            phase.name.replace("_", " "),
            count(phase.count),
            duration(phase.mean_s),
            duration(phase.total_s),
        ]
        row += [share(phase.total_s, total), duration(phase.cpu_s)]
        rows.append(row + ([duration(foretold.get(phase.name, math.nan))] if foretold else []))
    rows.append(["all phases", "", "", duration(total), "100 %", "", *([""] if foretold else [])])
    elapsed = as_number(record.summary.get("elapsed_s"))
    if elapsed - total > 0.05:
        rest = ["outside the phases", "", "", duration(elapsed - total), "", "", *([""] if foretold else [])]
        rows.append(rest)
    return table(header, rows)
