"""Figures of a league: scores and ratings over the updates, how exploitable the policy is, and who met whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kit.harness.run_folder import RunFolder
from kit.report import style
from kit.report.table import Table, read_table

MOST_MET = 16
"""Players in the heat map, at most: fixed ones and the newest checkpoints."""


def draw_league(run_dir: Path, results: Mapping[str, Any]) -> list[Path]:
    """Draw what there is to draw of a run from its metrics.csv and its ``results``; return the pictures.

    Raises:
        StorageError: the disk refuses.
    """
    folder = RunFolder(run_dir)
    metrics = read_table(folder.metrics, [])
    drawn = [
        _lines(
            metrics,
            "eval_score/",
            folder.figures / "win_rate.png",
            "Score in evaluation, win = 1, draw = ½",
            limits=(0.0, 1.0),
        ),
        _lines(
            metrics,
            "eval_exploitability",
            folder.figures / "exploitability.png",
            "Exploitability (NashConv / 2), chips a hand; 0 is an equilibrium, uniform play 0.458",
            limits=(0.0, None),
        ),
        _ratings(results.get("players", []), folder.figures / "ratings.png"),
        _matches(results, folder.figures / "matches.png"),
    ]
    return [path for path in drawn if path is not None]


def _lines(
    metrics: Table, prefix: str, path: Path, title: str, limits: tuple[float, float | None]
) -> Path | None:
    columns = [name for name in metrics.columns if name.startswith(prefix) and metrics.measured(name)]
    if not columns:
        return None
    figure = style.new_figure(3.2, title)
    axes = style.add_axes(figure, 0.75, 0.55, style.WIDTH_IN - 3.4, 2.0)
    ends = []
    for place, name in enumerate(columns):
        pairs = [
            (x, y) for x, y in zip(metrics.get("step"), metrics.get(name), strict=False) if math.isfinite(y)
        ]
        colour = style.AGENT if place == 0 else style.OTHERS[(place - 1) % len(style.OTHERS)]
        axes.plot(*zip(*pairs, strict=True), color=colour, linewidth=1.4, marker=".", markersize=4)
        ends.append((pairs[-1], colour))
    axes.set_ylim(*limits)
    low, high = axes.get_ylim()
    places = style.spread([y for (_, y), _ in ends], (high - low) / 12, low, high)
    for name, ((x, _), colour), y in zip(columns, ends, places, strict=True):
        style.note(axes, style.plain(_label(name, prefix), 34), (x, y), colour)
    style.name_axes(axes, x="updates")
    style.separate_thousands(axes, whole=True)
    return style.save(figure, path)


def _label(name: str, prefix: str) -> str:
    rest = name.removeprefix(prefix).strip("_/").replace("_", " ")
    return rest or "last policy"


def _ratings(players: Sequence[Mapping[str, Any]], path: Path) -> Path | None:
    """Draw μ with σ about it: checkpoints over their updates, fixed opponents as lines across."""
    if not players:
        return None
    figure = style.new_figure(
        3.2, "Ratings, μ with one σ about it", "a player that nobody knows stands at 25"
    )
    axes = style.add_axes(figure, 0.75, 0.55, style.WIDTH_IN - 2.6, 1.9)
    ours = [one for one in players if one["iteration"] >= 0]
    xs, mus = [one["iteration"] for one in ours], [one["mu"] for one in ours]
    sigmas = [one["sigma"] for one in ours]
    low, high = (
        [m - s for m, s in zip(mus, sigmas, strict=True)],
        [m + s for m, s in zip(mus, sigmas, strict=True)],
    )
    axes.fill_between(xs, low, high, color=style.AGENT, alpha=0.18, linewidth=0)
    axes.plot(xs, mus, color=style.AGENT, linewidth=1.4, marker=".", markersize=4)
    last = max(xs, default=1) or 1
    for place, one in enumerate(one for one in players if one["iteration"] < 0):
        colour = style.OTHERS[place % len(style.OTHERS)]
        axes.axhline(one["mu"], color=colour, linewidth=1.0, linestyle=(0, (5, 1.5)))
        style.note(axes, style.plain(one["uid"], 24), (last, one["mu"]), colour)
    axes.set_xlim(0, last)
    style.name_axes(axes, x="updates behind the policy")
    style.separate_thousands(axes, whole=True)
    return style.save(figure, path)


def _matches(results: Mapping[str, Any], path: Path) -> Path | None:
    """Draw how often each pair met."""
    players = results.get("players", [])
    fixed = [one["uid"] for one in players if one["iteration"] < 0][:MOST_MET]
    ours = [one["uid"] for one in players if one["iteration"] >= 0]
    names = [*ours[-max(1, MOST_MET - len(fixed)) :], *fixed]
    if not results.get("matches"):
        return None
    counts = [[0.0] * len(names) for _ in names]
    for one, other, games in results["matches"]:
        if one in names and other in names:
            row, column = names.index(one), names.index(other)
            counts[row][column] = counts[column][row] = float(games)
    side = 0.34 * len(names)
    figure = style.new_figure(
        side + 2.2, "Who met whom, games", "of the newest policies and the fixed opponents"
    )
    axes = style.add_axes(figure, 2.0, 1.4, max(side, 0.6), max(side, 0.6))
    axes.grid(visible=False)
    axes.imshow(counts, cmap="Blues", aspect="auto")
    largest = max(map(max, counts)) or 1.0
    for row, values in enumerate(counts):
        for column, value in enumerate(values):
            if value:
                colour = style.PAPER if value > largest / 2 else style.INK
                axes.text(column, row, f"{value:g}", ha="center", va="center", fontsize=6, color=colour)
    labels = [style.plain(name, 22) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=90)
    axes.set_yticks(range(len(names)), labels)
    return style.save(figure, path)
