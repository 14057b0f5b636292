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
    for how in HOW:
        before, after = (facts["matches"][when] for when in ("warm_up", "last"))
        name = f"{TIC_TAC_TOE}, seed {facts['seed']}, {how}"
        score, warm = score_of(both(after["random"][how])), score_of(both(before["random"][how]))
        told = f"{_told(after['random'][how])}; {warm:.3f} after the warm-up"
        rows.append(row_of(facts, f"{name}: score against random", score, "of 1", told, None))
        drawn = _drawn(after["minimax"][how])
        told = f"{_told(after['minimax'][how])}; {_drawn(before['minimax'][how]):.1f} % after the warm-up"
        rows.append(row_of(facts, f"{name}: draws with minimax", drawn, "%", told, None))
    return [*rows, *_of_time(facts, f"{TIC_TAC_TOE}, seed {facts['seed']}")]


def _of_time(facts: Facts, name: str) -> list[Row]:
    told = f"{facts['updates']} updates, {facts['games']:,} games, {facts['moves']:,} moves; with warm-up and matches"
    illegal = row_of(facts, f"{name}: illegal moves", 100 * facts["illegal"], "%", "last 100 games", None)
    return [illegal, row_of(facts, f"{name}: wall time", facts["wall_s"], "s", told, None)]


def _of_all(squares: Sequence[Facts], how: str) -> list[Row]:
    newest = max(squares, key=lambda one: one["date"])
    last = [one["matches"]["last"] for one in squares]
    score = min(score_of(both(one["random"][how])) for one in last)
    drawn = min(_drawn(one["minimax"][how]) for one in last)
    name = f"{TIC_TAC_TOE}, worst of {len(squares)}, {how}"
    asked, asked_drawn = f"≥ {SCORE:.2f} asked", f"≥ {100 * DRAWS:.0f} % asked"
    return [
        row_of(
            newest, f"{name}: score against random", score, "of 1", asked, score / SCORE, met=score >= SCORE
        ),
        row_of(
            newest,
            f"{name}: draws with minimax",
            drawn,
            "%",
            asked_drawn,
            drawn / (100 * DRAWS),
            met=drawn >= 100 * DRAWS,
        ),
    ]


def _tak(facts: Facts) -> list[Row]:
    rows, name = [], f"{TAK}, seed {facts['seed']}"
    for how in HOW:
        counts = {when: both(facts["matches"][when]["random"][how]) for when in ("warm_up", "last")}
        (low, high), (warm_low, warm_high) = (wilson(counts[when]) for when in ("last", "warm_up"))
        before = f"95 %: {low:.3f} to {high:.3f}; after the warm-up {warm_low:.3f} to {warm_high:.3f}"
        told = f"{_told(facts['matches']['last']['random'][how])}; {before}"
        met = low > warm_high if how == "sampled" else None
        value = score_of(counts["last"])
        rows.append(row_of(facts, f"{name}, {how}: against random", value, "of 1", told, None, met=met))
        scripted = facts["matches"]["last"]["scripted"][how]
        rows.append(
            row_of(
                facts,
                f"{name}, {how}: against scripted",
                score_of(both(scripted)),
                "of 1",
                _told(scripted),
                None,
            )
        )
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
    parts = (f"{side} {'/'.join(map(str, match[side]))}" for side in SIDES)
    return f"won/drawn/lost {', '.join(parts)}"
