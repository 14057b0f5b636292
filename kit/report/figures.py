"""All figures of a run: which there are, what each shows, and drawing whatever can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kit.report import comparison, learning_curve, phase_timings, queue_and_delay


@dataclass(frozen=True)
class FigureKind:
    """A figure: its file in figures/, how it is drawn, and the sentence under it."""

    file: str
    draw: Callable[[Path], Path | None]
    caption: str


LEARNING_CURVE = FigureKind(
    learning_curve.FILE,
    learning_curve.draw_learning_curve,
    "What the run measured while it learned, from metrics.csv. The ring marks the best evaluation; "
    "that model is kept in best/.",
)
PHASE_TIMINGS = FigureKind(
    phase_timings.FILE,
    phase_timings.draw_phase_timings,
    "Wall time of each phase and the CPU time in it, from timing.json. A wide gap is waiting.",
)
COMPARISON = FigureKind(
    comparison.FILE,
    comparison.draw_comparison,
    "Left: delay of every controller on the same test seeds. Right: the agent's delay minus the other's, "
    "paired by seed; an interval that includes 0 shows no difference.",
)
QUEUE_AND_DELAY = FigureKind(
    queue_and_delay.FILE,
    queue_and_delay.draw_queue_and_delay,
    "How the hour went under each controller, mean over the test seeds.",
)
ALL = (COMPARISON, LEARNING_CURVE, QUEUE_AND_DELAY, PHASE_TIMINGS)


def draw_all(run_dir: Path) -> list[Path]:
    """Draw every figure that the run folder holds data for, into its figures/; return their paths.

    Each picture is replaced whole, so a reader never sees half of one. A figure whose data are gone leaves
    the picture that was there. Raises StorageError where the disk refuses.
    """
    return [path for kind in ALL if (path := kind.draw(run_dir)) is not None]
