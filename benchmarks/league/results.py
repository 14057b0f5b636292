"""The rows of benchmarks/results-league.json: what each seed came to, and what was asked of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from benchmarks.forecast.shipped import where
from benchmarks.league.kuhn import ASKED
from benchmarks.league.ladder import RUNGS
from kit.league.exploitability import exploitability, uniform_policy

Row = dict[str, Any]
Facts = dict[str, Any]
DIGITS = 4
CHIPS = "chips a hand"
NEW = 25.0
"""μ of a player that nobody knows."""


def rows_of(facts: Iterable[Facts]) -> list[Row]:
    """Return all rows, seeds in order: Kuhn poker, mirror-only ratings, the ladder."""
    there = sorted(facts, key=lambda one: (one["name"] == "ladder-all", one["seed"]))
    learnt = [one for one in there if one["name"] == "kuhn"]
    ladders = [one for one in there if one["name"].startswith("ladder")]
    rows = [row for one in learnt for row in _of_seed(one)]
    if learnt:
        rows += _of_all_seeds(learnt)
    return rows + [row for one in ladders for row in _of_ladder(one)]


def _of_seed(facts: Facts) -> list[Row]:
    average, last, warm = facts["average"], facts["last"], facts["warm_up"]
    uniform, name = exploitability(uniform_policy()), f"Kuhn seed {facts['seed']}"
    all_of_them = f"after the warm-up; {len(average) + 1} policies"
    updates = f"{facts['updates']} updates"
    games = f"{updates}, {facts['games']:,} games, with the warm-up"
    reached = first_at(average, ASKED)
    return [
        row_of(
            facts, f"{name}: after the warm-up", warm, CHIPS, f"uniform play, {uniform:.4f}", warm / uniform
        ),
        row_of(facts, f"{name}: average policy", average[-1], CHIPS, all_of_them, average[-1] / warm),
        row_of(facts, f"{name}: last policy", last[-1], CHIPS, "after the warm-up", last[-1] / warm),
        row_of(facts, f"{name}: average at {ASKED:.2f} from", reached, "updates", updates, None),
        row_of(facts, f"{name}: illegal moves", 100 * facts["illegal"], "%", "last 100 games", None),
        row_of(facts, f"{name}: wall time", facts["wall_s"], "s", games, None),
    ]


def first_at(average: Sequence[float], limit: float) -> int | None:
    """Return the update from which on the average stays at ``limit`` or below; None where it does not get there."""
    above = [number for number, value in enumerate(average, 1) if value > limit]
    first = (above[-1] if above else 0) + 1
    return first if first <= len(average) else None


def _of_all_seeds(learnt: Sequence[Facts]) -> list[Row]:
    newest = max(learnt, key=lambda one: one["date"])
    worst = max(one["average"][-1] for one in learnt)
    moved = max(abs(mu - NEW) for one in learnt for mu in one["mus"])
    games = sum(one["games"] for one in learnt)
    name, asked = f"Kuhn: worst average of {len(learnt)} seeds", f"≤ {ASKED:.2f} asked"
    mirror = f"0 asked; {games:,} mirror games"
    return [
        row_of(newest, name, worst, CHIPS, asked, worst / ASKED, met=worst <= ASKED),
        row_of(newest, "Mirror-only: largest change of μ", moved, "μ", mirror, None, met=moved == 0.0),
    ]


def _of_ladder(facts: Facts) -> list[Row]:
    """Return ratings and steps between them; asked for of even pairs, told of a table where all pairs are alike."""
    even = facts["name"] == "ladder-even"
    name = f"TicTacToe seed {facts['seed']}, {'even' if even else 'all'} pairs"
    ratings = facts["ratings"]
    rows = [
        row_of(facts, f"{name}: {uid}", ratings[uid][0], "μ", f"σ {ratings[uid][1]:.2f}", None)
        for uid in RUNGS
    ]
    for below, above in pairwise(RUNGS):
        step = ratings[above][0] - ratings[below][0]
        won, drawn, lost = facts["matches"][f"{below}-{above}"]
        told = f"{lost} won, {drawn} drawn, {won} lost of {facts['games']} games"
        met = step > 0.0 if even else None
        rows.append(row_of(facts, f"{name}: {below} < {above}", step, "μ", f"> 0; {told}", None, met=met))
    return rows


def row_of(
    facts: Facts,
    name: str,
    value: float | None,
    unit: str,
    against: str,
    ratio: float | None,
    *,
    met: bool | None = None,
) -> Row:
    """Return a row of results-league.json; ``met`` where something was asked for."""
    row: Row = {
        "name": name,
        "value": None if value is None else round(value, DIGITS),
        "unit": unit,
        "against": against,
        "ratio": None if ratio is None else round(ratio, DIGITS),
        "date": facts["date"],
        "machine": where(facts["machine"]),
    }
    return row if met is None else row | {"met": met}
