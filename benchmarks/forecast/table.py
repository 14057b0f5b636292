"""The tables, from the rows of results-forecast.json: in Markdown for the README, in plain text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.forecast.results import OVER_ALL, Row, by_workload

HEAD = ("workload", "steps", "predicted", "actual", "error", "CPU error", "inside", "100 steps", "naive")
MORE = ("low to high", "windows")
"""Columns of the terminal's table alone."""
BESIDE = (
    "error, worst",
    "100 steps: error, median",
    "naive: error, median",
    "naive: error, worst",
    "runs inside, of other workloads' interval",
    "runs, median high / low",
)
"""What the README tells of all workloads beside what was asked."""
MET = {True: "met", False: "**missed**"}


def markdown(rows: Iterable[Row]) -> str:
    """Return the tables of the README: the workloads; and what was asked of all of them, with some of what was not."""
    found = by_workload(rows)
    over_all = found.pop(OVER_ALL, {})
    lines = [_barred(HEAD), _barred(["---"] + ["---:"] * (len(HEAD) - 1))]
    lines += [_barred(_cells(name, quantities)) for name, quantities in found.items()]
    lines += ["", "| all workloads | measured | asked, or of what |", "|---|---:|---|"]
    for name, row in over_all.items():
        if "met" in row:
            lines.append(_barred([name, _value(row), f"{row['against']}: {MET[row['met']]}"]))
        elif name in BESIDE:
            lines.append(_barred([name, _value(row), str(row["against"])]))
    return "\n".join(lines) + "\n"


def _barred(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(name: str, of: Mapping[str, Row]) -> list[str]:
    actual, low, high = (float(of[one]["value"]) for one in ("actual", "low", "high"))
    return [
        name,
        f"{of['steps']['value']:,}",
        f"{of['predicted']['value']:.0f} s",
        f"{actual:.0f} s",
        f"{float(of['actual']['ratio']) - 1:+.1%}",
        f"{float(of['actual CPU']['ratio']) - 1:+.1%}",
        "yes" if low <= actual <= high else "**no**",
        _off(of["100 steps"]),
        _off(of["naive"]),
    ]


def _off(row: Row) -> str:
    """Return how much longer the run took than this says."""
    return f"{round(100 * (1 / float(row['ratio']) - 1)):+d}%"


def _value(row: Row) -> str:
    value, unit = float(row["value"]), str(row["unit"])
    if unit == "%":
        return f"{value:.1f} %"
    return f"{value:.2f}×" if unit == "×" else f"{value:.0f}"


def plain(rows: Iterable[Row]) -> str:
    """Return the same for a terminal, up to 120 columns wide, with intervals and windows."""
    found = by_workload(rows)
    over_all = found.pop(OVER_ALL, {})
    table = [[*HEAD, *MORE]]
    for name, of in found.items():
        between = f"{of['low']['value']:.0f} to {of['high']['value']:.0f} s"
        cells = [*_cells(name, of), between, f"{of['windows inside']['value']:.0f} %"]
        table.append([cell.replace("**", "") for cell in cells])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in table]
    lines.append("")
    for name, row in over_all.items():
        said = f": {'met' if row['met'] else 'MISSED'}" if "met" in row else ""
        lines.append(f"{name:<58} {_value(row):>9}  {row['against']}{said}")
    return "\n".join(lines) + "\n"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = [(cell, width) for cell, width in zip(row, widths, strict=True)]
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
