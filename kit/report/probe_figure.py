"""What a probe measured: the parts of a step, wall and CPU time, and the steps one after the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.report import style
from kit.report.quantities import duration, share

FILE = "probe.png"
_BAR = "#a9c9e0"


def draw_probe(probe: Mapping[str, Any], path: Path) -> Path:
    """Draw a probe (``Probe.as_json()``) as the picture ``path``: its parts above, its step times below.

    Raises:
        StorageError: the disk refuses.
    """
    parts = {name: part for name, part in probe["parts"].items() if part["mean_s"] > 0}
    height = 3.35 + 0.3 * len(parts)
    subtitle = (
        f"median {duration(probe['median_s'])}, 90 % between {duration(probe['p5_s'])} and {duration(probe['p95_s'])}, "
        f"variation {probe['cv']:.2f}; {probe['steps']} steps after {probe['warm_up_steps']} of warm-up"
    )
    figure = style.new_figure(
        height,
        f"{probe['what'][:1].upper()}{probe['what'][1:]}: a step ({probe['unit']}) takes {duration(probe['step_s'])}",
        subtitle,
    )
    _draw_parts(figure, parts, height)
    _draw_steps(figure, probe)
    return style.save(figure, path)


def _draw_parts(figure: Any, parts: Mapping[str, Mapping[str, float]], height: float) -> None:
    total = math.fsum(part["mean_s"] for part in parts.values())
    axes = style.add_axes(figure, 1.25, 2.55, style.WIDTH_IN - 4.0, height - 3.35)
    axes.grid(visible=False)
    for row, part in enumerate(parts.values()):
        axes.barh(row, part["mean_s"], height=0.62, color=_BAR)
        axes.barh(row, part["cpu_s"], height=0.22, color=style.AGENT)
        text = f"{duration(part['mean_s'])}  ·  {share(part['mean_s'], total)}  ·  idle {duration(part['idle_s'])}"
        style.note(axes, text, (max(part["mean_s"], part["cpu_s"]), row))
    axes.set_yticks(range(len(parts)), [style.plain(name, 16) for name in parts])
    axes.tick_params(axis="y", labelcolor=style.INK)
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.set_xlim(0, max(max(part["mean_s"], part["cpu_s"]) for part in parts.values()))
    style.name_axes(axes, x="seconds a step; wide bar: wall time, thin bar: CPU time of the process")
    style.separate_thousands(axes, whole=False)


def _draw_steps(figure: Any, probe: Mapping[str, Any]) -> None:
    times = style.drawable(probe["times_s"])
    first = probe["warm_up_steps"] + 1
    axes = style.add_axes(figure, 1.25, 0.5, style.WIDTH_IN - 4.0, 1.2)
    axes.plot(
        range(first, first + len(times)), times, color=style.AGENT, linewidth=1.0, marker=".", markersize=3
    )
    axes.axhline(probe["step_s"], color=style.MUTED, linewidth=0.8)
    style.note(
        axes, f"mean {duration(probe['step_s'])}", (1.0, probe["step_s"]), style.MUTED, x_in="axes fraction"
    )
    axes.set_ylim(0, 1.1 * max(times))
    style.name_axes(axes, x="step", y="seconds of each step")
    style.separate_thousands(axes, whole=True)
