"""Where the hours of a budget go: a bar for each stage, from its low to its high end, over the whole project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.report import style
from kit.report.budget_figures import span
from kit.report.quantities import share

FILE = "budget.png"
_RANGE = "#a9c9e0"


def draw_budget(data: Mapping[str, Any], path: Path) -> Path:
    """Draw the stages of a budget (``Budget.as_json()``), the longest on top, and the contingency below them.

    The dark bar ends at the low end, the pale one at the high end; the tick is what planning budgets would set aside.
    The picture's bytes depend on the data and on the version of matplotlib alone.

    Raises:
        StorageError: The disk refuses; what was there before is intact.
    """
    rows = [(stage["title"], stage["total"], _runs(stage["repeats"])) for stage in data["stages"]]
    rows.sort(key=lambda row: -row[1]["gpu_hours"]["high"])
    rows.append(("Contingency", data["contingency"], ""))
    height = 1.15 + 0.34 * len(rows)
    total = data["total"]
    figure = style.new_figure(
        height,
        f"Where the hours go: {span(total['gpu_hours'], 'GPU-h')} in all",
        "dark: to the low end · pale: to the high end · tick: with planning budgets · share of the high end",
    )
    axes = style.add_axes(figure, 2.75, 0.45, style.WIDTH_IN - 5.0, height - 1.15)
    axes.grid(visible=False)
    places = range(len(rows))
    hours = [cost["gpu_hours"] for _, cost, _ in rows]
    planned = [cost["planning_gpu_hours"]["high"] for _, cost, _ in rows]
    axes.barh(places, [one["high"] for one in hours], height=0.62, color=_RANGE)
    axes.barh(places, [one["low"] for one in hours], height=0.62, color=style.AGENT)
    axes.vlines(
        planned, [at - 0.4 for at in places], [at + 0.4 for at in places], color=style.INK, linewidth=1.4
    )
    all_high = total["gpu_hours"]["high"]
    for at, (_, cost, runs) in enumerate(rows):
        text = f"{span(cost['gpu_hours'])}  ·  {share(cost['gpu_hours']['high'], all_high)}{runs}"
        style.note(axes, text, (max(cost["gpu_hours"]["high"], planned[at]), at))
    axes.set_yticks(places, [style.plain(title, 42) for title, _, _ in rows])
    axes.tick_params(axis="y", labelcolor=style.INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, max(*planned, *(one["high"] for one in hours)) or 1.0)
    style.name_axes(axes, x="GPU-hours")
    style.separate_thousands(axes, whole=False)
    return style.save(figure, path)


def _runs(repeats: Mapping[str, float]) -> str:
    count = span(repeats)
    return f"  ·  {count} run{'' if count == '1' else 's'}"
