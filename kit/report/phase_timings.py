"""Where the time went: the phases of timing.json, wall and CPU time."""

from __future__ import annotations

import math
from pathlib import Path

from kit.harness.run_folder import RunFolder
from kit.report import style
from kit.report.quantities import count, duration, share
from kit.report.record import read_phases

FILE = "phase_timings.png"
MOST_PHASES = 16
_BAR = "#a9c9e0"


def draw_phase_timings(run_dir: Path) -> Path | None:
    """Draw a bar for each phase, the longest on top: wall time, and its CPU time inside it.

    Returns:
        The picture, or None where no phase has been timed.
    """
    folder = RunFolder(run_dir)
    phases = [phase for phase in read_phases(folder, []) if 0 <= phase.total_s <= style.LARGEST]
    phases = sorted(phases, key=lambda phase: -phase.total_s)[:MOST_PHASES]
    if not phases:
        return None
    total = math.fsum(phase.total_s for phase in phases)
    height = 1.15 + 0.3 * len(phases)
    figure = style.new_figure(
        height,
        f"Where the time went: {duration(total)} in phases",
        "wide bar: wall time · thin bar: CPU time of the process",
    )
    axes = style.add_axes(figure, 1.25, 0.45, style.WIDTH_IN - 4.0, height - 1.15)
    axes.grid(visible=False)
    rows = range(len(phases))
    axes.barh(rows, [phase.total_s for phase in phases], height=0.62, color=_BAR)
    cpu = [phase.cpu_s if 0 <= phase.cpu_s <= style.LARGEST else 0.0 for phase in phases]
    axes.barh(rows, cpu, height=0.22, color=style.AGENT)
    for row, phase in enumerate(phases):
        each = f"{count(phase.count)} × {duration(phase.mean_s)}" if phase.count else "not counted"
        text = f"{duration(phase.total_s)}  ·  {share(phase.total_s, total)}  ·  {each}"
        style.note(axes, text, (max(phase.total_s, cpu[row]), row))
    axes.set_yticks(rows, [style.plain(phase.name.replace("_", " "), 16) for phase in phases])
    axes.tick_params(axis="y", labelcolor=style.INK)
    axes.set_ylim(len(phases) - 0.5, -0.5)
    axes.set_xlim(0, max(*cpu, *(phase.total_s for phase in phases)) or 1.0)
    style.name_axes(axes, x="seconds")
    style.separate_thousands(axes, whole=False)
    return style.save(figure, folder.figures / FILE)
