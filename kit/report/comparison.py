"""The agent against the baselines: delay on each test seed, and the paired difference beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.harness.run_folder import RunFolder
from kit.report import style
from kit.report.evaluation import ControllerResult, Evaluation
from kit.report.intervals import Interval
from kit.report.quantities import decimal, plural
from kit.report.record import read_json, read_run_evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILE = "comparison.png"
MOST_CONTROLLERS = 14
_ROW_IN = 0.42
_LOG_SCALE_FROM = 12.0


def draw_comparison(run_dir: Path) -> Path | None:
    """Draw every controller's delay, a dot per test seed with mean and 95 % interval, the best on top.

    Beside it stands the agent's delay minus each baseline's, paired by seed, with its 95 % interval.

    Returns:
        The picture, or None where nothing has been evaluated.
    """
    folder = RunFolder(run_dir)
    evaluation = read_run_evaluation(folder, read_json(folder.run_json, []), [])
    if evaluation is None:
        return None
    shown = [result for result in evaluation.controllers if abs(result.delay.mean) <= style.LARGEST]
    shown = shown[:MOST_CONTROLLERS]
    if not shown:
        return None
    height = 1.4 + _ROW_IN * len(shown)
    figure = style.new_figure(
        height,
        "Delay on test seeds" + (f": {evaluation.scenario}" if evaluation.scenario else ""),
        f"a dot for each of {plural(evaluation.n_seeds, 'seed')}, the mean with its 95 % interval",
    )
    paired = bool(evaluation.differences)
    axes = style.add_axes(figure, 1.45, 0.55, 2.65 if paired else style.WIDTH_IN - 2.2, height - 1.4)
    colours = style.colours_of([result.name for result in evaluation.controllers], evaluation.agent)
    _draw_delays(axes, shown, colours)
    axes.set_yticks(range(len(shown)), [style.wrapped(result.name, 20) for result in shown])
    for label, result in zip(axes.get_yticklabels(), shown, strict=True):
        label.set_color(colours[result.name])
        label.set_fontweight("bold" if result.name == evaluation.agent else "normal")
    if paired:
        beside = style.add_axes(figure, 4.8, 0.55, 1.3, height - 1.4)
        _draw_differences(beside, shown, evaluation, colours)
    return style.save(figure, folder.figures / FILE)


def _draw_delays(axes: Axes, shown: Sequence[ControllerResult], colours: Mapping[str, str]) -> None:
    _horizontal(axes, len(shown))
    values = [value for result in shown for value in style.drawable(result.delay_s) if math.isfinite(value)]
    lowest, highest = min(values), max(values)
    if lowest > 0 and highest / lowest > _LOG_SCALE_FROM:
        axes.set_xscale("log")
    else:
        edge = 0.06 * (highest - lowest) or 0.05 * abs(highest) or 1.0
        axes.set_xlim(lowest - edge, highest + edge)
    for row, result in enumerate(shown):
        dots = style.drawable(result.delay_s)
        # A fixed up-and-down pattern keeps equal dots apart without chance in a picture.
        heights = [row + 0.14 + (index % 5 - 2) * 0.05 for index in range(len(dots))]
        axes.scatter(dots, heights, s=13, color=colours[result.name], alpha=0.4, linewidths=0)
        _draw_interval(axes, row - 0.17, result.delay, colours[result.name])
        style.note(axes, decimal(result.delay.mean), (1.0, row), x_in="axes fraction")
    style.name_axes(axes, x="s per vehicle, lower is better", y="Delay")


def _draw_differences(
    axes: Axes, shown: Sequence[ControllerResult], evaluation: Evaluation, colours: Mapping[str, str]
) -> None:
    _horizontal(axes, len(shown))
    axes.set_yticks([])
    axes.axvline(0.0, color=style.INK, linewidth=1.0)
    for row, result in enumerate(shown):
        difference = evaluation.differences.get(result.name)
        if result.name == evaluation.agent or difference is None or not abs(difference.mean) <= style.LARGEST:
            continue
        _draw_interval(axes, row, difference, colours[result.name])
        colour = style.MUTED if difference.has_zero else style.INK
        style.note(axes, _in_words(difference), (1.0, row), colour, x_in="axes fraction")
    low, high = axes.get_xlim()
    edge = 0.05 * (high - low)
    axes.set_xlim(min(low, 0.0) - edge, max(high, 0.0) + edge)
    agent = style.plain(evaluation.agent, 16)
    style.name_axes(
        axes, x="s per vehicle, paired by seed", y=f"{agent} minus the other (left: {agent} is better)"
    )


def _horizontal(axes: Axes, rows: int) -> None:
    axes.grid(visible=False)
    axes.grid(visible=True, axis="x", color=style.RULE, linewidth=0.8)
    axes.set_ylim(rows - 0.5, -0.5)


def _draw_interval(axes: Axes, row: float, interval: Interval, colour: str) -> None:
    if interval.known and max(abs(interval.low), abs(interval.high)) <= style.LARGEST:
        ends = [interval.low, interval.high]
        axes.plot(
            ends, [row, row], color=colour, linewidth=2.2, marker="|", markersize=6, markeredgewidth=1.4
        )
    axes.plot([interval.mean], [row], marker="o", markersize=5.5, color=colour, markeredgewidth=0)


def _in_words(difference: Interval) -> str:
    if not difference.known:
        return f"{decimal(difference.mean)} (no interval)"
    return f"{decimal(difference.mean)} ({decimal(difference.low)} to {decimal(difference.high)})"
