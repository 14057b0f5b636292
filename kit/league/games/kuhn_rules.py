"""The rules of Kuhn poker (Kuhn 1950), exactly and with the right pot: what is legal, and who gets how many chips.

Three cards, J < Q < K; each player antes 1 chip and holds one card; a bet is 1 chip. Player 0 acts first.

    check check            the higher card wins 1
    check bet fold         player 1 wins 1
    check bet call         the higher card wins 2
    bet fold               player 0 wins 1
    bet call               the higher card wins 2

With best play player 0 loses 1/18 chip a hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

from kit.errors import UsageError

CARDS = "JQK"
"""From the lowest to the highest."""
DEALS: tuple[tuple[str, str], ...] = tuple((first, second) for first, second in permutations(CARDS, 2))
"""The six deals, player 0's card first; all are equally likely."""
History = tuple[str, ...]
LEGAL: Mapping[History, tuple[str, ...]] = {
    (): ("check", "bet"),
    ("check",): ("check", "bet"),
    ("bet",): ("call", "fold"),
    ("check", "bet"): ("call", "fold"),
}
"""What may be done after each history that goes on; every other history is the end of a hand."""
MOST = 2.0
"""Chips that a hand can win or lose."""


def mover(history: History) -> int:
    """Return whose turn it is after ``history``: they take turns, player 0 first."""
    return len(history) % 2


def payoff(deal: tuple[str, str], history: History) -> float:
    """Return the chips that player 0 wins (below zero: loses) in a hand that has ended."""
    if history[-1] == "fold":
        return -1.0 if mover(history[:-1]) == 0 else 1.0
    won = 2.0 if history[-1] == "call" else 1.0
    return won if CARDS.index(deal[0]) > CARDS.index(deal[1]) else -won


def information_set(card: str, history: History) -> str:
    """Return what a player knows, in short: its card and what was done, such as ``Q|`` or ``J|check bet``."""
    return f"{card}|{' '.join(history)}"


def read_information_set(name: str) -> tuple[str, History]:
    """Return card and history of ``Q|check bet``.

    Raises:
        UsageError: no player of Kuhn poker is ever asked to act there.
    """
    card, _, done = name.partition("|")
    history = tuple(done.split())
    if len(card) != 1 or card not in CARDS or history not in LEGAL:
        raise UsageError(
            f"{name!r} is no information set of Kuhn poker. Legal: {', '.join(INFORMATION_SETS)}."
        )
    return card, history


INFORMATION_SETS = tuple(information_set(card, history) for history in LEGAL for card in CARDS)
"""All twelve; player 0's are those whose history has an even length."""
