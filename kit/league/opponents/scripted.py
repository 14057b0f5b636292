"""Scripted: a sensible beginner's play for each game that it knows, better than chance and far from perfect.

- Tic-tac-toe: win, else block, else the centre, else a corner, else a side.
- SimpleTak: win, else block, else the cell that leaves the fewest stones to be placed for a path, and of those the
  one that leaves the opponent the most.
- Kuhn poker, ours and TextArena's: bet and call with K, bluff with J one time in three, check with Q and call with
  it every second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kit.errors import UsageError
from kit.league.draws import draw_one, draw_uniform
from kit.league.game import Game, View
from kit.league.games import tic_tac_toe_rules as tic_tac_toe
from kit.league.games.textarena_library import stem
from kit.league.opponents import tak_paths

BLUFF, CALL = 1 / 3, 1 / 2
CENTRE, CORNERS, SIDES = (4,), (0, 2, 6, 8), (1, 3, 5, 7)


def _tic_tac_toe(view: View, seed: int) -> str:
    board = tic_tac_toe.read_board(view.compact)
    mine, free = tic_tac_toe.mark_to_move(board), tic_tac_toe.free_cells(board)
    for mark in (mine, tic_tac_toe.other_mark(mine)):
        wins = [at for at in free if tic_tac_toe.winner(tic_tac_toe.placed(board, at, mark))]
        if wins:
            return str(draw_one(wins, seed, "scripted"))
    groups = ([at for at in group if at in free] for group in (CENTRE, CORNERS, SIDES))
    return str(draw_one(next(group for group in groups if group), seed, "scripted"))


def _simple_tak(view: View, seed: int) -> str:
    cells = tuple(view.compact.split())
    mine, other = ("O", "X") if view.player == 0 else ("X", "O")
    free = tak_paths.free_cells(cells)

    def needed(at: int, placing: str, counted: str) -> float:
        return tak_paths.stones_needed(tak_paths.placed(cells, at, placing), counted)

    for mark in (mine, other):
        wins = [at for at in free if needed(at, mark, mark) == 0]
        if wins:
            return str(draw_one(wins, seed, "scripted"))
    worth = {at: (needed(at, mine, mine), -needed(at, mine, other)) for at in free}
    return str(draw_one([at for at in free if worth[at] == min(worth.values())], seed, "scripted"))


def _kuhn(view: View, seed: int) -> str:
    card = view.compact.partition("|")[0][-1]
    if "call" in view.legal:
        calls = card == "K" or (card == "Q" and draw_uniform(seed, "scripted") < CALL)
        return "call" if calls else "fold"
    bets = card == "K" or (card == "J" and draw_uniform(seed, "scripted") < BLUFF)
    return "bet" if bets else "check"


KNOWN: Mapping[str, Callable[[View, int], str]] = {
    "Kuhn-v0": _kuhn,
    "KuhnPoker-v0": _kuhn,
    "SimpleTak-v0": _simple_tak,
    "TicTacToe-v0": _tic_tac_toe,
}
"""By the beginning of the id, which TextArena's variants (``SimpleTak-v0-large``) share."""


class Scripted:
    """Plays by the rules above, from either seat."""

    uid = "scripted"
    network = False

    def act(self, game: Game, seed: int) -> str:
        """Return its action.

        Raises:
            UsageError: there is no script for the game.
        """
        name = stem(game.env_id)
        for known, play in KNOWN.items():
            if name == known or name.startswith(f"{known}-"):
                return play(game.view(), seed)
        raise UsageError(f"There is no script for {game.env_id}. Legal: {', '.join(sorted(KNOWN))}.")
