"""The hour on the street: queue and delay over time, a line for each controller, mean over test seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.harness.run_folder import RunFolder
from kit.report import style
from kit.report.evaluation import Evaluation, Series
from kit.report.record import read_json, read_run_evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILE = "queue_and_delay.png"
MOST_LINES = 8
SMOOTHED_OVER_S = 120.0
LONGEST_NAME = 34
_PANEL_IN = 1.95
_LEFT_IN = 0.75
_TO_NAME_IN = 0.28
"""From the end of a line to its name."""


def draw_queue_and_delay(run_dir: Path) -> Path | None:
    """Draw the queue, smoothed over two minutes, and the delay accrued since the start, over the hour.

    ``delay_s`` of a series is the delay accrued in each interval, vehicle-seconds; its running sum is drawn
    in vehicle-hours, so that the lines end at each controller's delay of the whole hour.

    Returns:
        The picture, or None where no series has been kept.
    """
    folder = RunFolder(run_dir)
    evaluation = read_run_evaluation(folder, read_json(folder.run_json, []), [])
    if evaluation is None:
        return None
    lines = _ordered(evaluation)[:MOST_LINES]
    panels = [
        (title, chosen)
        for title, chosen in (
            ("Queue, vehicles", [(one, _smooth(one)) for one in lines]),
            ("Delay since the start, vehicle-hours", [(one, _accrued(one)) for one in lines]),
        )
        if any(math.isfinite(value) for _, values in chosen for value in values)
    ]
    if not panels:
        return None
    height = 0.95 + (_PANEL_IN + 0.45) * len(panels)
    subtitle = f"mean over the test seeds; the queue as a running mean of {SMOOTHED_OVER_S / 60:.0f} min"
    figure = style.new_figure(height, "Queue and delay over the hour", subtitle)
    colours = style.colours_of([result.name for result in evaluation.controllers], evaluation.agent)
    names = [style.plain(one.controller, LONGEST_NAME) for one in lines]
    beside = _TO_NAME_IN + 0.15 + max(style.width_in(figure, name, "bold") for name in names)
    for index, (title, chosen) in enumerate(panels):
        bottom = 0.55 + (_PANEL_IN + 0.45) * (len(panels) - 1 - index)
        axes = style.add_axes(figure, _LEFT_IN, bottom, style.WIDTH_IN - _LEFT_IN - beside, _PANEL_IN)
        _draw_lines(axes, chosen, colours, evaluation.agent)
        is_last = index == len(panels) - 1
        axes.tick_params(labelbottom=is_last)
        style.name_axes(axes, x="minutes since the start" if is_last else "", y=title)
    return style.save(figure, folder.figures / FILE)


def running_mean(time_s: Sequence[float], values: Sequence[float], over_s: float) -> list[float]:
    """Return the mean of the finite values within ``over_s`` seconds centred on each time; times ascend."""
    means = []
    first = after = 0
    for time in time_s:
        while first < len(time_s) and time_s[first] < time - over_s / 2:
            first += 1
        while after < len(time_s) and time_s[after] <= time + over_s / 2:
            after += 1
        window = [value for value in values[first:after] if math.isfinite(value)]
        means.append(math.fsum(window) / len(window) if window else math.nan)
    return means


def _ordered(evaluation: Evaluation) -> list[Series]:
    """Return the series with ascending times, the controllers with the least delay first."""
    rank = {result.name: index for index, result in enumerate(evaluation.controllers)}
    good = [
        one
        for one in evaluation.series
        if all(map(math.isfinite, one.time_s)) and list(one.time_s) == sorted(one.time_s)
    ]
    return sorted(
        good, key=lambda one: (one.controller != evaluation.agent, rank.get(one.controller, len(rank)))
    )


def _smooth(one: Series) -> list[float]:
    return running_mean(one.time_s, style.drawable(one.queue_veh), SMOOTHED_OVER_S)


def _accrued(one: Series) -> list[float]:
    """Sum the delay up; from a missing value on the sum is unknown and stays so."""
    return list(itertools.accumulate(value / 3600 for value in style.drawable(one.delay_s)))


def _draw_lines(
    axes: Axes, chosen: Sequence[tuple[Series, Sequence[float]]], colours: Mapping[str, str], agent: str
) -> None:
    ends: list[tuple[float, str, str]] = []
    for index, (one, values) in enumerate(chosen):
        is_agent = one.controller == agent
        colour = colours.get(one.controller, style.OTHERS[index % len(style.OTHERS)])
        minutes = [time / 60 for time in one.time_s]
        axes.plot(
            minutes,
            values,
            color=colour,
            linewidth=2.4 if is_agent else 1.3,
            linestyle=style.DASHES[0 if is_agent else index % len(style.DASHES)],
            zorder=3 if is_agent else 2,
        )
        last = next((value for value in reversed(values) if math.isfinite(value)), math.nan)
        if math.isfinite(last):
            ends.append((last, one.controller, colour))
    longest = max((one.time_s[-1] for one, _ in chosen), default=1.0) / 60
    axes.set_xlim(0, longest or 1.0)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    _label_ends(axes, ends, agent)


def _label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], agent: str) -> None:
    """Write each name at the end of its line, moved apart where lines end together."""
    right = axes.get_position().width * style.WIDTH_IN
    low, high = axes.get_ylim()
    gap = (high - low) * (style.TEXT_PT * 1.25 / 72) / _PANEL_IN
    places = style.spread([value for value, _, _ in ends], gap, low, high)
    for (value, name, colour), place in zip(ends, places, strict=True):
        axes.annotate(
            style.plain(name, LONGEST_NAME),
            (1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(1.0 + _TO_NAME_IN / right, place),
            textcoords=("axes fraction", "data"),
            va="center",
            color=colour,
            fontsize=style.TEXT_PT,
            weight="bold" if name == agent else "normal",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.7,
                "shrinkA": 2,
                "shrinkB": 1,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )
