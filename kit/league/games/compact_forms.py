"""The compact forms of games known here: the whole of what a player may know, in a few words.

A free cell is shown by its number, which is the action that takes it, so that what is legal is there to be read:
``0 O 2 3 X 5 6 7 8``. A hand of cards is ``card|what was done``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def _cells(state: Mapping[str, Any], _player: int) -> str:
    cells = [cell for row in state["board"] for cell in row]
    return " ".join(cell or str(number) for number, cell in enumerate(cells))


def _kuhn(state: Mapping[str, Any], player: int) -> str:
    """Round, chips won in the rounds before, card and what was done in this one: ``2 -1 Q|check``."""
    opened = player == state["starting_player"]
    answers = "call" in state["current_legal_action_tree"]
    done = {(True, False): "", (False, False): "check", (False, True): "bet", (True, True): "check bet"}
    won = state["player_chips"][player] + 1  # the ante of this round is paid already
    card = "JQK"[state["player_cards"][player]]
    return f"{state['current_round']} {won:+d} {card}|{done[opened, answers]}"


COMPACT_FORMS: Mapping[str, Callable[[Mapping[str, Any], int], str]] = {
    "TicTacToeEnv": _cells,
    "SimpleTakEnv": _cells,
    "KuhnPokerEnv": _kuhn,
}
"""From the name of TextArena's class to what reads its ``game_state`` for the player whose move it is."""


def compact_form(environment: Any, player: int) -> str | None:
    """Return the compact form of the environment's state; None where its game is none of those known here."""
    form = COMPACT_FORMS.get(type(environment).__name__)
    return None if form is None else form(environment.state.game_state, player)
