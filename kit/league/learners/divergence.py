"""What is said of a batch whose loss or gradient is no finite number: which games, and which of their turns."""

from __future__ import annotations

from collections.abc import Sequence

from kit.errors import DivergenceError
from kit.league.trajectory import Step

MOST_GAMES = 12
"""Games that are named; the others are counted."""


def divergence(what: str, steps: Sequence[Step], policy_version: int) -> DivergenceError:
    """Return the error of ``what`` ("the loss is nan") in a batch or a part of one."""
    kept = "Weights and optimizer are as before it."
    return DivergenceError(f"{what} in update {policy_version + 1}, learning from {named(steps)}. {kept}")


def named(steps: Sequence[Step]) -> str:
    """Return ``game 12 (turns 0, 2), game 13 (turn 1)`` for the steps of those."""
    turns: dict[int, list[int]] = {}
    for step in steps:
        turns.setdefault(step.game, []).append(step.turn)
    parts = [_game(game, sorted(turns[game])) for game in sorted(turns)[:MOST_GAMES]]
    more = len(turns) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "")


def _game(number: int, turns: list[int]) -> str:
    word = "turn" if len(turns) == 1 else "turns"
    return f"game {number} ({word} {', '.join(map(str, turns))})"
