"""How every figure looks: colours, sizes, text, and how it reaches the disk.

Figures are built from ``Figure`` and ``FigureCanvasAgg`` alone. pyplot is never imported: it keeps global
state, so it is unsafe in threads and would draw into the notebook that happens to be running. matplotlib is
imported when a figure is drawn, not when this module is.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.report.output import put

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
WIDTH_IN = 8.0
INK, MUTED, RULE, PAPER = "#1b1f24", "#5b6470", "#dfe3e8", "#ffffff"
AGENT = "#0072b2"
# Okabe and Ito (2008), told apart with any common colour blindness; darkened where white paper asks for it.
OTHERS = ("#d55e00", "#009e73", "#b8559a", "#b8860b", "#3d9bd1", "#6b6b6b")
DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
)
LARGEST = 1e100  # beyond this, axis arithmetic overflows; nothing measured is that large
TEXT_PT, TITLE_PT = 9.0, 11.0


def new_figure(height_in: float, title: str, subtitle: str = "") -> Figure:
    """Return an empty figure of the common width with its title in the top left corner, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    lines = [(0.12, title, TITLE_PT, INK, "bold"), (0.36, subtitle, TEXT_PT, MUTED, "normal")]
    for below_in, text, points, colour, weight in lines:
        at = (0.15 / WIDTH_IN, 1 - below_in / height_in)
        figure.text(*at, plain(text, 110), fontsize=points, weight=weight, color=colour, va="top")
    return figure


def add_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes at a place given in inches from the lower left corner, in the common look."""
    wide, high = figure.get_size_inches()
    axes = figure.add_axes((left / wide, bottom / high, width / wide, height / high), facecolor=PAPER)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(
        axis="both",
        which="both",
        length=0,
        labelsize=TEXT_PT,
        labelcolor=MUTED,
        pad=4,
    )
    axes.grid(visible=True, axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.0, y=0.08)
    return axes


def name_axes(axes: Axes, x: str = "", y: str = "") -> None:
    """Name the axes with their units: the vertical one above itself, where it is read without turning."""
    if y:
        axes.set_title(plain(y, 90), loc="left", fontsize=TEXT_PT, color=INK, pad=6, y=1.0)
    if x:
        axes.set_xlabel(plain(x, 90), fontsize=TEXT_PT, color=MUTED, loc="left")


def note(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    colour: str = INK,
    offset: tuple[float, float] = (6.0, 0.0),
    *,
    centred: bool = False,
    x_in: str = "data",
) -> None:
    """Write ``text`` beside a point, ``offset`` typographic points away; x in data or "axes fraction"."""
    axes.annotate(
        text,
        at,
        xycoords=(x_in, "data"),
        xytext=offset,
        textcoords="offset points",
        va="center",
        ha="center" if centred else "left",
        fontsize=TEXT_PT,
        color=colour,
        annotation_clip=False,
    )


def separate_thousands(axes: Axes, *, whole: bool) -> None:
    """Write the ticks of the horizontal axis as 12,000; ``whole`` where there is nothing between 1 and 2."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=whole))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:,.10g}"))


def colours_of(names: Sequence[str], agent: str) -> dict[str, str]:
    """Give each controller the colour it has in every figure of the run; the agent is always blue."""
    others = [name for name in names if name != agent]
    colours = {name: OTHERS[index % len(OTHERS)] for index, name in enumerate(others)}
    return colours | ({agent: AGENT} if agent else {})


def plain(text: str, longest: int = 40) -> str:
    """Make any text safe to draw: no mathematics from ``$``, no line breaks, nothing the font cannot show."""
    shown = "".join(character if _drawable(character) else "?" for character in " ".join(text.split()))
    cut = shown if len(shown) <= longest else shown[: longest - 1] + "…"
    return cut.replace("\\", "\\\\").replace("$", r"\$") if "$" in cut else cut


def wrapped(text: str, longest: int) -> str:
    """Make text safe to draw on at most two lines of ``longest`` characters, broken at a space; the rest is cut."""
    shown = " ".join(text.split())
    at = shown.rfind(" ", 0, longest + 1)
    if len(shown) <= longest or at <= 0:
        return plain(shown, longest)
    return f"{plain(shown[:at], longest)}\n{plain(shown[at + 1 :], longest)}"


def width_in(figure: Figure, text: str, weight: str = "normal") -> float:
    """Return how wide ``text`` is drawn in the size of labels, inches."""
    drawn = figure.text(0, 0, text, fontsize=TEXT_PT, weight=weight)
    width = float(drawn.get_window_extent(figure.canvas.get_renderer()).width) / DPI  # type: ignore[attr-defined]
    drawn.remove()
    return width


def _drawable(character: str) -> bool:
    """Say whether DejaVu Sans, which comes with matplotlib, holds the character (Latin, Greek, Cyrillic)."""
    return character.isprintable() and (character < "\u0530" or "\u2010" <= character <= "\u22ff")


def drawable(values: Sequence[float]) -> list[float]:
    """Replace what an axis cannot show (infinite, or beyond 1e100) by NaN."""
    return [value if abs(value) <= LARGEST else math.nan for value in values]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move label positions as little as needed so that they are ``gap`` apart, within ``low`` and ``high``.

    The order is kept. Where they cannot all fit they are spaced evenly.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    if gap * (len(order) - 1) > high - low:
        gap = (high - low) / max(len(order) - 1, 1)
    placed = [0.0] * len(wanted)
    floor = low
    for rank, index in enumerate(order):
        room_above = gap * (len(order) - 1 - rank)
        placed[index] = min(max(wanted[index], floor), high - room_above)
        floor = placed[index] + gap
    return placed


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG, whole or not at all. Raises StorageError where the disk refuses."""
    buffer = io.BytesIO()
    figure.canvas.print_png(buffer)  # type: ignore[attr-defined]
    return put(path, buffer.getvalue())
