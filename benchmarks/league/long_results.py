"""The rows of the longer games in benchmarks/results-league.json: what each seed came to, and what was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import Any

from benchmarks.league.long_matches import SIDES, both
from benchmarks.league.results import Row, row_of

SCORE, DRAWS = 0.90, 0.50
"""Asked of tic-tac-toe: wins and half of the draws against random, and draws with minimax."""
Z = 1.959964
"""Of a normal distribution 95 % are within so many deviations."""
TIC_TAC_TOE, TAK = "TicTacToe learnt", "SimpleTak learnt"
PREFIXES = (TIC_TAC_TOE, TAK)
"""What the names of these rows begin with."""
HOW = ("sampled", "greedy")
OF_ONE = "of 1"
"""Unit of a score: wins and half of the draws, as a share of the games."""
Facts = Mapping[str, Any]


def rows_of(facts: Iterable[Facts]) -> list[Row]:
    """Return all rows, seeds in order, tic-tac-toe first."""
    there = sorted(facts, key=lambda one: (one["game"] != "TicTacToe-v0", one["seed"]))
    squares = [one for one in there if one["game"] == "TicTacToe-v0"]
    taks = [one for one in there if one["game"] != "TicTacToe-v0"]
    rows = [row for one in squares for row in _tic_tac_toe(one)]
    for how in HOW if squares else ():
        rows += _of_all(squares, how)
    return rows + [row for one in taks for row in _tak(one)]


def _tic_tac_toe(facts: Facts) -> list[Row]:
    rows = []
    before, after = (facts["matches"][when] for when in ("warm_up", "last"))
    for how in HOW:
        name = f"{TIC_TAC_TOE}, seed {facts['seed']}, {how}"
        score, warm = (score_of(both(one["random"][how])) for one in (after, before))
        told = f"{_told(after['random'][how])}; {warm:.3f} before"
        rows.append(row_of(facts, f"{name}: against random", score, OF_ONE, told, None))
        drawn, warm = (_drawn(one["minimax"][how]) for one in (after, before))
        told = f"{_told(after['minimax'][how])}; {warm:.1f} % before"
        rows.append(row_of(facts, f"{name}: minimax draws", drawn, "%", told, None))
    return [*rows, *_of_time(facts, f"{TIC_TAC_TOE}, seed {facts['seed']}")]


def _of_time(facts: Facts, name: str) -> list[Row]:
    told = f"{facts['cpu_s']:,.0f} s of CPU; {facts['updates']} updates, {facts['games']:,} games"
    illegal = row_of(facts, f"{name}: illegal moves", 100 * facts["illegal"], "%", "last 100 games", None)
    return [illegal, row_of(facts, f"{name}: wall time", facts["wall_s"], "s", told, None)]


def _of_all(squares: Sequence[Facts], how: str) -> list[Row]:
    newest = max(squares, key=lambda one: one["date"])
    last = [one["matches"]["last"] for one in squares]
    score = min(score_of(both(one["random"][how])) for one in last)
    drawn, asked = min(_drawn(one["minimax"][how]) for one in last), 100 * DRAWS
    name = f"{TIC_TAC_TOE}, worst of {len(squares)}, {how}"
    told = f"≥ {SCORE:.2f} asked"
    return [
        row_of(newest, f"{name}: against random", score, OF_ONE, told, score / SCORE, met=score >= SCORE),
        row_of(
            newest,
            f"{name}: minimax draws",
            drawn,
            "%",
            f"≥ {asked:.0f} % asked",
            drawn / asked,
            met=drawn >= asked,
        ),
    ]


def _tak(facts: Facts) -> list[Row]:
    """Return scores against random, met where the whole interval lies above that of before, and against scripted."""
    rows, name = [], f"{TAK}, seed {facts['seed']}"
    before, after = (facts["matches"][when] for when in ("warm_up", "last"))
    for how in HOW:
        counts = both(after["random"][how])
        (low, high), (warm_low, warm_high) = wilson(counts), wilson(both(before["random"][how]))
        told = f"95 % {low:.3f}–{high:.3f}; {warm_low:.3f}–{warm_high:.3f} before"
        score, met = score_of(counts), low > warm_high
        rows.append(row_of(facts, f"{name}, {how}: against random", score, OF_ONE, told, None, met=met))
        score, warm = (score_of(both(one["scripted"][how])) for one in (after, before))
        told = f"{_told(after['scripted'][how])}; {warm:.3f} before"
        rows.append(row_of(facts, f"{name}, {how}: against scripted", score, OF_ONE, told, None))
    return [*rows, *_of_time(facts, name)]


def score_of(counts: Sequence[int]) -> float:
    """Return wins and half of the draws, as a share of the games won, drawn and lost."""
    won, drawn, lost = counts
    return (won + drawn / 2) / (won + drawn + lost)


def wilson(counts: Sequence[int]) -> tuple[float, float]:
    """Return the 95 % interval of ``score_of`` by Wilson (1927).

    It is that of a share, which is no narrower than one where some games are drawn: a draw varies less than a win and a
    loss.
    """
    games, share = sum(counts), score_of(counts)
    middle = (share + Z * Z / (2 * games)) / (1 + Z * Z / games)
    half = Z / (1 + Z * Z / games) * sqrt(share * (1 - share) / games + Z * Z / (4 * games * games))
    return middle - half, middle + half


def _drawn(match: Mapping[str, Sequence[int]]) -> float:
    counts = both({side: list(match[side]) for side in SIDES})
    return 100 * counts[1] / sum(counts)


def _told(match: Mapping[str, Sequence[int]]) -> str:
    parts = ("/".join(map(str, match[side])) for side in SIDES)
    return f"w/d/l {', '.join(parts)}"
