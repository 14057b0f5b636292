"""Figures and the self-contained page, made from a run folder on disk, so also from what a dead run left.

Importing this package imports no matplotlib: it is loaded when the first figure is drawn.
"""

from kit.report.comparison import draw_comparison
from kit.report.figures import draw_all
from kit.report.html import write_report
from kit.report.learning_curve import draw_learning_curve
from kit.report.phase_timings import draw_phase_timings
from kit.report.queue_and_delay import draw_queue_and_delay

__all__ = [
    "draw_all",
    "draw_comparison",
    "draw_learning_curve",
    "draw_phase_timings",
    "draw_queue_and_delay",
    "write_report",
]
