"""The legal actions of a TextArena game, read from where it tells them: ``Available Moves: '[0]', '[4]'``."""

from __future__ import annotations

import re

_TOLD = re.compile(r"\b(?:available|valid) (?:moves|actions)(?: are)?:([^\n]*)", re.IGNORECASE)
_BRACKETED = re.compile(r"\[([^\[\]]+)\]")
_PLACEHOLDER = re.compile(r"<|>|\.\.\.|…")
"""``[<number>]`` is a form, not an action. TextArena 0.7.4 has no such lists; a letter alone is a card or a mark."""


def told_actions(board: str) -> tuple[str, ...]:
    """Return the bare actions that ``board``, the game's last word on its state, lists; () where it lists none.

    Only a list in full is one: where any entry is a form to be filled in, what is legal cannot be told.
    """
    told = _TOLD.findall(board)
    if not told:
        return ()
    actions = [action.strip() for action in _BRACKETED.findall(told[-1])]
    if any(_PLACEHOLDER.search(action) for action in actions):
        return ()
    return tuple(dict.fromkeys(actions))
