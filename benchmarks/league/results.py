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
    there = sorted(facts, key=lambda one: one["seed"])
    learnt = [one for one in there if one["name"] == "kuhn"]
    ladders = [one for one in there if one["name"] == "ladder"]
    rows = [row for one in learnt for row in _of_seed(one)]
    if learnt:
        rows += _of_all_seeds(learnt)
    return rows + [row for one in ladders for row in _of_ladder(one)]


def _of_seed(facts: Facts) -> list[Row]:
    average, last, warm = facts["average"], facts["last"], facts["warm_up"]
    uniform, name = exploitability(uniform_policy()), f"Kuhn seed {facts['seed']}"
    policies = f"{len(average) + 1} policies"
    games = f"{facts['updates']} updates, {facts['games']:,} games, with the warm-up"
    return [
        _row(facts, f"{name}: after the warm-up", warm, CHIPS, f"uniform play, {uniform:.4f}", warm / uniform),
        _row(facts, f"{name}: average of all policies", average[-1], CHIPS, f"after the warm-up, {policies}", average[-1] / warm),
        _row(facts, f"{name}: last policy", last[-1], CHIPS, "after the warm-up", last[-1] / warm),
        _row(facts, f"{name}: first average at {ASKED:.2f}", first_at(average, ASKED), "updates", f"{facts['updates']} updates", None),
        _row(facts, f"{name}: illegal moves at the end", 100 * facts["illegal"], "%", "last 100 games", None),
        _row(facts, f"{name}: wall time", facts["wall_s"], "s", games, None),
    ]  # fmt: skip


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
    seeds, asked = f"{len(learnt)} seeds", f"≤ {ASKED:.2f} asked"
    return [
        _row(newest, f"Kuhn: worst average of {seeds}", worst, CHIPS, asked, worst / ASKED, met=worst <= ASKED),
        _row(newest, "Mirror-only: largest change of μ", moved, "μ", f"0 asked, {games:,} mirror games", None, met=moved == 0.0),
    ]  # fmt: skip


def _of_ladder(facts: Facts) -> list[Row]:
    name, ratings = f"TicTacToe seed {facts['seed']}", facts["ratings"]
    rows = []
    for uid in RUNGS:
        mu, sigma = ratings[uid]
        rows.append(_row(facts, f"{name}: {uid}", mu, "μ", f"σ {sigma:.2f}, {facts['games']} games", None))
    for below, above in pairwise(RUNGS):
        step = ratings[above][0] - ratings[below][0]
        won, drawn, lost = facts["matches"][f"{below}-{above}"]
        told = f"> 0 asked; {lost} won, {drawn} drawn, {won} lost by the latter"
        rows.append(_row(facts, f"{name}: {below} < {above}", step, "μ", told, None, met=step > 0.0))
    return rows


def _row(
    facts: Facts,
    name: str,
    value: float | None,
    unit: str,
    against: str,
    ratio: float | None,
    *,
    met: bool | None = None,
) -> Row:
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
