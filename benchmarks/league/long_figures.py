"""Figures of the longer games: how good the policy is over its updates, a line for each seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.league.long_results import DRAWS, SCORE, wilson
from kit.report import style

Facts = Mapping[str, Any]
PLACE = (0.75, 0.55, style.WIDTH_IN - 2.6)
"""Of axes in a figure, inches: from the left, from below, width."""


def draw(facts: Sequence[Facts], folder: Path) -> list[Path]:
    """Draw the curves of every game there is; return the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(facts, key=lambda one: one["seed"])
    squares = [one for one in ordered if one["game"] == "TicTacToe-v0"]
    taks = [one for one in ordered if one["game"] == "SimpleTak-v0"]
    drawn = []
    if squares:
        title = "Tic-tac-toe against random, exactly: wins and half of the draws"
        drawn.append(_exact(squares, "eval_score_random", title, SCORE, folder / "tic-tac-toe-random.png"))
        title = "Tic-tac-toe against minimax, exactly: games drawn"
        drawn.append(_exact(squares, "eval_draws_minimax", title, DRAWS, folder / "tic-tac-toe-minimax.png"))
    if taks:
        drawn.append(_tak(taks, folder / "simple-tak-random.png"))
    return drawn


def _exact(squares: Sequence[Facts], name: str, title: str, asked: float, path: Path) -> Path:
    """Draw one figure of all seeds: greedy in full lines, drawn at temperature 1 in broken ones."""
    figure = style.new_figure(3.2, title, "full: the likeliest cell; broken: drawn at temperature 1")
    axes = style.add_axes(figure, *PLACE, 1.9)
    ends = []
    for place, one in enumerate(squares):
        colour = (style.AGENT, *style.OTHERS)[place]
        for how, dash in (("greedy", style.DASHES[0]), ("sampled", style.DASHES[1])):
            xs = [0.0, *(row["games"] for row in one["curve"])]
            ys = [one["warm_up"][f"{name}_{how}"], *(row[f"{name}_{how}"] for row in one["curve"])]
            axes.plot(xs, ys, color=colour, linewidth=1.3, linestyle=dash)
            if how == "greedy":
                ends.append((xs[-1], ys[-1], colour, f"seed {one['seed']}"))
    axes.set_ylim(0.0, 1.0)
    axes.axhline(asked, color=style.MUTED, linewidth=0.8, linestyle=style.DASHES[2])
    return _finished(figure, axes, ends, path)


def _tak(taks: Sequence[Facts], path: Path) -> Path:
    title = "SimpleTak against random: wins and half of the draws"
    figure = style.new_figure(3.2, title, "drawn at temperature 1; 95 % intervals of each look by Wilson")
    axes = style.add_axes(figure, *PLACE, 1.9)
    ends = []
    for place, one in enumerate(taks):
        colour = (style.AGENT, *style.OTHERS)[place]
        games = one["settings"]["look_games"]
        xs, ys, spans = [], [], []
        for row in one["curve"]:
            share = row["eval_score/SimpleTak-v0/random"]
            xs.append(row["games"])
            ys.append(share)
            spans.append(wilson((share * games, 0.0, (1.0 - share) * games)))
        axes.plot(xs, ys, color=colour, linewidth=1.3, marker=".", markersize=4)
        lows, highs = zip(*spans, strict=True)
        axes.fill_between(xs, lows, highs, color=colour, alpha=0.15, linewidth=0)
        ends.append((xs[-1], ys[-1], colour, f"seed {one['seed']}"))
    axes.set_ylim(0.0, 1.0)
    return _finished(figure, axes, ends, path)


def _finished(figure: Any, axes: Any, ends: Sequence[tuple[float, float, str, str]], path: Path) -> Path:
    """Name lines and axes, and save."""
    places = style.spread([y for _, y, _, _ in ends], 0.08, 0.0, 1.0)
    for (x, _, colour, name), y in zip(ends, places, strict=True):
        style.note(axes, name, (x, y), colour)
    axes.set_xlim(left=0.0)
    style.name_axes(axes, x="games played")
    style.separate_thousands(axes, whole=True)
    return style.save(figure, path)
