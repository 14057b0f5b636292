"""The rows of benchmarks/results-forecast.json: one for each quantity of each workload, then those over all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.forecast.findings import Figure, Findings
from benchmarks.forecast.held_out import Held, coverage
from benchmarks.forecast.outcome import Outcome

Row = dict[str, Any]
OVER_ALL = "all workloads"
DIGITS = 4


def rows_of(findings: Findings, where: str) -> list[Row]:
    """Return all rows; ``where`` is the machine in words, as in results.json."""
    rows: list[Row] = []
    for one in findings.outcomes:
        said = _of_workload(one, findings.runs[one.name], findings.held[one.name])
        rows += [_row(one.name, figure, one.date, where) for figure in said]
    last = max(one.date for one in findings.outcomes)
    return rows + [_row(OVER_ALL, figure, last, where) for figure in findings.figures()]


def _of_workload(one: Outcome, run: Held, slices: list[Held]) -> list[Figure]:
    pair, actual_s = one.pair, one.pair.actual_s
    cpu_s, foretold_cpu_s = pair.actual_cpu_s or 0.0, pair.predicted_cpu_s or 0.0
    quick = f"quick test {one.quick_steps:.1%} of the steps, {one.quick_time:.1%} of the time"
    inside = coverage(slices) if slices else 0.0
    return [
        Figure("steps", one.timesteps, "steps", quick, one.quick_steps),
        _seconds("predicted", pair.predicted_s, actual_s),
        Figure("actual", actual_s, "s", "predicted", actual_s / pair.predicted_s),
        _seconds("low", run.low_s, actual_s),
        _seconds("high", run.high_s, actual_s),
        Figure("predicted CPU", foretold_cpu_s, "CPU-s", "actual CPU", foretold_cpu_s / cpu_s),
        Figure("actual CPU", cpu_s, "CPU-s", "predicted CPU", cpu_s / foretold_cpu_s),
        _seconds("100 steps", one.hundred_s, actual_s),
        _seconds("naive", one.naive_s, actual_s),
        Figure("windows inside", 100 * inside, "%", f"{len(slices)} windows", inside),
    ]


def _seconds(name: str, value: float, actual_s: float) -> Figure:
    return Figure(name, value, "s", "actual", value / actual_s)


def _row(of: str, figure: Figure, date: str, where: str) -> Row:
    row: Row = {
        "name": f"{of}: {figure.name}",
        "value": round(figure.value, DIGITS),
        "unit": figure.unit,
        "against": figure.against,
        "ratio": None if figure.ratio is None else round(figure.ratio, DIGITS),
        "date": date,
        "machine": where,
    }
    return row if figure.met is None else row | {"met": figure.met}


def by_workload(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """Return the rows by workload, then quantity, in their order; those over all of them are under OVER_ALL."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        of, _, quantity = str(row["name"]).partition(": ")
        found.setdefault(of, {})[quantity] = row
    return found
