"""The figures of a budget as tables of Markdown: each with its value, its mark and where it is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kit.report.quantities import number

Data = Mapping[str, Any]


def span(found: Mapping[str, float], unit: str = "") -> str:
    """Write a range: ``844–1,021 GPU-h``, or one number where both ends read the same."""
    low, high = _number(found["low"]), _number(found["high"])
    text = low if low == high else f"{low}–{high}"
    return f"{text} {unit}".rstrip()


def _number(value: float) -> str:
    """Write a number with up to four digits, and no zeros at its end."""
    text = number(value, 4)
    return text.rstrip("0").rstrip(".") if "." in text else text


def stage_parts(stage: Data, currency: str) -> list[str]:
    """Return a stage as paragraphs: heading, what it is and runs on, its note, its figures, its cost."""
    cards = " or ".join(stage["cards"]) + ("; the first is charged" if len(stage["cards"]) > 1 else "")
    relative = f" Relative to `{stage['relative_to']}`." if stage["relative_to"] else ""
    group = stage["group"].replace("_", "-")
    first = f"`{stage['name']}`, {group}. Target GPU: {cell(cards)}.{relative}"
    cost = (
        f"A run: {span(stage['run']['gpu_hours'], 'GPU-h')}, {span(stage['run']['money'], currency)}. "
        f"Runs in all: {span(stage['repeats'])}."
    )
    return [f"### {cell(stage['title'])}", first, cell(stage["note"]), figure_table(stage["figures"]), cost]


def figure_table(figures: Sequence[Data]) -> str:
    """Return figures as a table; one that is unknown has no mark."""
    rows = [[cell(one["meaning"]), one["text"], _mark(one), cell(_origin(one))] for one in figures]
    return table(["figure", "value", "mark", "from"], rows, "lrll")


def _mark(figure: Data) -> str:
    return "–" if figure["mark"] == "unknown" else f"*{figure['mark']}*"


def _origin(figure: Data) -> str:
    """Return where a figure is from: its formula, its source, or that it is assumed."""
    parts = []
    if figure["formula"]:
        parts.append(f"`{figure['formula']}`")
    if figure["mark"] == "measured":
        parts.append(", ".join(filter(None, (figure["source"], figure["machine"], figure["date"]))))
    elif figure["source"]:
        parts.append(figure["source"])
    elif figure["assumed"]:
        parts.append("assumed")
    if figure["estimated_before"]:
        parts.append(f"estimated before: {figure['estimated_before']}")
    return "; ".join(parts)


def cell(text: str) -> str:
    """Make text safe in a cell or a line of Markdown: one line, no column of its own, no HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """Return a table of Markdown; ``align`` has ``l`` or ``r`` for each column."""
    marks = [{"l": "---", "r": "--:"}[one] for one in align]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, marks, *rows))
