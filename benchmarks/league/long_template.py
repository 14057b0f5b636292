"""MARKS: a board in which each mark tells its cell, so that a tiny transformer can read it.

``compact`` shows a taken cell as ``O`` or ``X``: which cell that is has to be counted. Here every cell is one letter
or number that occurs nowhere else: free cells as their numbers, one's own marks as A, B, C …, the other's as Б, Г, Д …,
cell 0 to 15. ``0 O 2 3 X 5 6 7 8`` is ``0B23Ж5678`` for O.
"""

from __future__ import annotations

from kit.league.game import View
from kit.league.games.tic_tac_toe_rules import MARKS as SIGNS
from kit.league.prompt_templates import BARE, COMPACT, CUE, PromptTemplate, register_template

OWN, THEIRS = "ABCDEFGHIJKLMNOP", "БГДЖЗИЛПУФЦЧШЫЭЮ"


def shown(view: View) -> str:
    """Return the board as the player to move sees it; a number of two digits has a space before it."""
    own, found = SIGNS[view.player], []
    for at, cell in enumerate(view.compact.split()):
        if cell in SIGNS:
            found.append(OWN[at] if cell == own else THEIRS[at])
        else:
            found.append(cell if len(cell) == 1 else f" {cell}")
    return "".join(found) + CUE


MARKS = register_template(PromptTemplate("marks", COMPACT.fixed, shown, COMPACT.stop, BARE))
