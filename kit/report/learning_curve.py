"""The learning curve: what the run measured, step by step, from metrics.csv."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.harness.run_folder import RunFolder
from kit.report import style
from kit.report.quantities import number
from kit.report.record import session_spans
from kit.report.table import Table, read_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILE = "learning_curve.png"
MOST_PANELS = 4
MOST_POINTS = 200  # up to here every row is a point, above they are binned
BINS = 80
PANEL_HEIGHT_IN = 1.45
LOG_SCALE_FROM = 300.0

_KNOWN = {
    "eval_delay_s_per_vehicle": "Delay in evaluation, s per vehicle (lower is better)",
    "eval_reward": "Reward in evaluation, per episode (higher is better)",
    "episode_reward": "Reward in training, per episode (higher is better)",
    "train_loss": "Loss in training",
}
_BEST = {"eval_delay_s_per_vehicle": min, "eval_reward": max}


@dataclass(frozen=True)
class Curve:
    """A column made ready to draw: the mean of each bin of rows, and the middle 80 % of its values."""

    step: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]
    rows_per_point: int


def draw_learning_curve(run_dir: Path) -> Path | None:
    """Draw the columns of metrics.csv over the steps, at most four of them, evaluation first.

    Returns:
        The picture, or None where nothing has been measured.
    """
    folder = RunFolder(run_dir)
    metrics = read_table(folder.metrics, [])
    columns = chosen_columns(metrics)
    if not columns:
        return None
    timing = read_table(folder.timing_rows, [])
    resumed = [span.first_step for span in session_spans(timing)[1:]]
    height = 0.95 + (PANEL_HEIGHT_IN + 0.45) * len(columns)
    figure = style.new_figure(height, "Learning curve", _subtitle(metrics, columns, len(resumed)))
    last_step = max(step for step in metrics.get("step") if math.isfinite(step))
    for index, column in enumerate(columns):
        bottom = 0.55 + (PANEL_HEIGHT_IN + 0.45) * (len(columns) - 1 - index)
        axes = style.add_axes(figure, 0.75, bottom, style.WIDTH_IN - 1.6, PANEL_HEIGHT_IN)
        _draw_panel(axes, column, metrics, is_evaluation=column.startswith("eval"))
        axes.set_xlim(0, max(last_step, 1.0))
        for step in resumed:
            axes.axvline(step, color=style.MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
        style.separate_thousands(axes, whole=True)
        is_last = index == len(columns) - 1
        axes.tick_params(labelbottom=is_last)
        style.name_axes(axes, x="environment steps" if is_last else "", y=_title(column))
    return style.save(figure, folder.figures / FILE)


def chosen_columns(metrics: Table) -> list[str]:
    """Return the columns to draw: evaluation, training reward, loss, then the others; four at most."""
    measured = [name for name in metrics.columns if name != "step" and metrics.measured(name)]
    if not any(map(math.isfinite, metrics.get("step"))):
        return []
    if "eval_delay_s_per_vehicle" in measured and "eval_reward" in measured:
        measured.remove("eval_reward")  # the same episodes, in a unit that means less
    return sorted(measured, key=_importance)[:MOST_PANELS]


def bin_rows(step: Sequence[float], values: Sequence[float]) -> Curve:
    """Put the rows that hold a number into at most 80 bins of equally many rows, if they are more than 200.

    The line then shows every row's share, where taking each n-th row would show chance.
    """
    pairs = [
        (x, y)
        for x, y in zip(step, style.drawable(values), strict=False)
        if math.isfinite(x) and math.isfinite(y)
    ]
    per_bin = 1 if len(pairs) <= MOST_POINTS else math.ceil(len(pairs) / BINS)
    curve = Curve([], [], [], [], per_bin)
    for start in range(0, len(pairs), per_bin):
        rows = pairs[start : start + per_bin]
        ordered = sorted(y for _, y in rows)
        curve.step.append(math.fsum(x for x, _ in rows) / len(rows))
        curve.mean.append(math.fsum(ordered) / len(rows))
        edge = (len(ordered) - 1) / 10
        curve.low.append(ordered[math.floor(edge)])
        curve.high.append(ordered[math.ceil(len(ordered) - 1 - edge)])
    return curve


def _draw_panel(axes: Axes, column: str, metrics: Table, *, is_evaluation: bool) -> None:
    curve = bin_rows(metrics.get("step"), metrics.get(column))
    if not curve.step:
        axes.text(
            0.5, 0.5, "no value that can be drawn", transform=axes.transAxes, ha="center", color=style.MUTED
        )
        return
    colour = style.AGENT if is_evaluation else style.INK
    if min(curve.mean) > 0 and max(curve.mean) / min(curve.mean) > LOG_SCALE_FROM:
        axes.set_yscale("log")
    if curve.rows_per_point > 1:
        axes.fill_between(curve.step, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
    marker = "o" if len(curve.step) <= 40 else ""
    axes.plot(
        curve.step, curve.mean, color=colour, linewidth=1.6, marker=marker, markersize=3.5, clip_on=False
    )
    style.note(axes, number(curve.mean[-1]), (curve.step[-1], curve.mean[-1]), colour)
    if column in _BEST and curve.rows_per_point == 1:
        _mark_best(axes, curve, _BEST[column](curve.mean), colour)


def _mark_best(axes: Axes, curve: Curve, best: float, colour: str) -> None:
    """Put a ring round the best evaluation: the model kept in best/ is of that step."""
    step = curve.step[curve.mean.index(best)]
    axes.plot([step], [best], marker="o", markersize=9, markerfacecolor="none", color=colour, clip_on=False)
    if step != curve.step[-1]:
        away = -13 if best == min(curve.mean) else 13
        axes.margins(y=0.28)  # room for the words outside the curve
        style.note(axes, f"best {number(best)}", (step, best), colour, (0, away), centred=True)


def _importance(column: str) -> tuple[int, str]:
    groups = (column.startswith("eval"), "reward" in column, "loss" in column)
    return (groups.index(True) if True in groups else len(groups)), column


def _title(column: str) -> str:
    return _KNOWN.get(column, column.replace("_", " "))


def _subtitle(metrics: Table, columns: Sequence[str], resumed: int) -> str:
    parts = []
    rows_per_point = max(bin_rows(metrics.get("step"), metrics.get(name)).rows_per_point for name in columns)
    if rows_per_point > 1:
        parts.append(f"line: mean of up to {rows_per_point:,} rows, band: their middle 80 %")
    if resumed:
        parts.append("dotted: the run was resumed")
    left_out = sum(
        not abs(value) <= style.LARGEST and not math.isnan(value)
        for name in columns
        for value in metrics.get(name)
    )
    if left_out:
        parts.append(f"{left_out:,} infinite or too large values left out")
    return " · ".join(parts)
