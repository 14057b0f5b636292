"""Policies of Kuhn poker: for each information set the probability of each legal action, as data.

A policy plays both seats: its information sets with an even number of actions are player 0's, the others player 1's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from kit.errors import UsageError
from kit.league.game import View
from kit.league.games.kuhn import kuhn_view
from kit.league.games.kuhn_rules import INFORMATION_SETS, LEGAL, mover, read_information_set

Policy = Mapping[str, Mapping[str, float]]
"""From an information set (``Q|check bet``) to the probabilities of its legal actions."""
ROUNDING = 1e-6
"""So far from 1 a sum of probabilities may be."""


def uniform_policy() -> dict[str, dict[str, float]]:
    """Return the policy that takes either action with probability 1/2; its exploitability is 11/24."""
    return {name: dict.fromkeys(legal_in(name), 0.5) for name in INFORMATION_SETS}


def equilibrium(alpha: float = 1 / 3) -> dict[str, dict[str, float]]:
    """Return a Nash equilibrium: one for each ``alpha`` from 0 to 1/3, the probability of betting with J (Kuhn 1950).

    Player 0 bets K with 3·alpha and calls with Q with alpha + 1/3; player 1 has no choice but to bluff with J and to
    call with Q one time in three.

    Raises:
        UsageError: alpha is outside of [0, 1/3].
    """
    if not 0.0 <= alpha <= 1 / 3:
        raise UsageError(f"alpha must be between 0 and 1/3, not {alpha}.")
    bet = {
        "J|": alpha,
        "Q|": 0.0,
        "K|": min(1.0, 3 * alpha),
        "J|check": 1 / 3,
        "Q|check": 0.0,
        "K|check": 1.0,
    }
    call = {"J|bet": 0.0, "Q|bet": 1 / 3, "K|bet": 1.0}
    call |= {"J|check bet": 0.0, "Q|check bet": alpha + 1 / 3, "K|check bet": 1.0}
    betting = {name: {"check": 1.0 - p, "bet": p} for name, p in bet.items()}
    return betting | {name: {"call": p, "fold": 1.0 - p} for name, p in call.items()}


def policy_from(lookup: Callable[[View], Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return the policy of somebody who is asked once in every information set.

    ``lookup`` gets what a player sees there and returns a weight for each legal action: probabilities, of which
    what belongs to other actions is left out. They are scaled to 1.

    Raises:
        UsageError: it names no legal action, gives none of them any weight, or a weight is negative or no number.
    """
    return {name: _scaled(name, lookup(_view(name))) for name in INFORMATION_SETS}


def checked(policy: Policy) -> Policy:
    """Return ``policy`` if it is one.

    Raises:
        UsageError: an information set or an action is missing or unknown, or probabilities do not sum to 1.
    """
    for name in policy:
        read_information_set(name)
    for name in INFORMATION_SETS:
        chances = policy.get(name)
        if chances is None or set(chances) != set(legal_in(name)):
            found = "nothing" if chances is None else ", ".join(chances) or "nothing"
            raise UsageError(
                f"The policy gives {found} for {name!r}. Legal there: {', '.join(legal_in(name))}."
            )
        if min(chances.values()) < 0.0 or not math.isclose(sum(chances.values()), 1.0, abs_tol=ROUNDING):
            raise UsageError(f"The policy's probabilities for {name!r} are none: {dict(chances)}.")
    return policy


def legal_in(name: str) -> tuple[str, ...]:
    """Return the legal actions of an information set."""
    return LEGAL[read_information_set(name)[1]]


def _view(name: str) -> View:
    card, history = read_information_set(name)
    return kuhn_view(mover(history), card, history)


def _scaled(name: str, weights: Mapping[str, float]) -> dict[str, float]:
    legal = {action: float(weights.get(action, 0.0)) for action in legal_in(name)}
    total = math.fsum(legal.values())
    if not all(weight >= 0.0 for weight in legal.values()) or not 0.0 < total < math.inf:
        raise UsageError(f"No policy for {name!r} follows from {dict(weights)}. Legal: {', '.join(legal)}.")
    return {action: weight / total for action, weight in legal.items()}
