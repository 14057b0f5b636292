"""Minimax: perfect play, in games small enough to be seen to their end.

Tic-tac-toe is searched once and remembered (5,478 boards); every cell that keeps the value is equally likely, not
the quickest one, so that a perfect player still plays many games. In Kuhn poker, where cards are hidden, the player
that gives away nothing is an equilibrium, played at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kit.errors import UsageError
from kit.league.draws import draw_one, draw_weighted
from kit.league.game import Game, View
from kit.league.games.textarena_library import stem
from kit.league.games.tic_tac_toe_rules import best_cells, read_board
from kit.league.kuhn_policy import equilibrium

ALPHA = 1 / 6
"""Which of Kuhn poker's equilibria: the probability of betting with J, from 0 to 1/3."""


def _tic_tac_toe(view: View, seed: int) -> str:
    return str(draw_one(best_cells(read_board(view.compact)), seed, "minimax"))


def _kuhn(view: View, seed: int) -> str:
    chances = equilibrium(ALPHA)[view.compact]
    return draw_weighted(list(chances), list(chances.values()), seed, "minimax")


SMALL_GAMES: Mapping[str, Callable[[View, int], str]] = {"TicTacToe-v0": _tic_tac_toe, "Kuhn-v0": _kuhn}


class Minimax:
    """Plays perfectly, from either seat."""

    uid = "minimax"
    network = False

    def act(self, game: Game, seed: int) -> str:
        """Return one of the best actions.

        Raises:
            UsageError: the game is not one of those small enough.
        """
        solved = SMALL_GAMES.get(stem(game.env_id))
        if solved is None:
            raise UsageError(
                f"{self.uid!r} sees a game to its end, and {game.env_id} is too large for that or not known to it. "
                f"Legal: {', '.join(sorted(SMALL_GAMES))}."
            )
        return solved(game.view(), seed)
