"""RandomLegal: every legal action is equally likely; the floor that any learning must leave."""

from __future__ import annotations

from kit.errors import UsageError
from kit.league.draws import draw_one
from kit.league.game import Game


class RandomLegal:
    """Plays any game that tells what is legal."""

    uid = "random"
    network = False

    def act(self, game: Game, seed: int) -> str:
        """Return one of the legal actions.

        Raises:
            UsageError: the game does not tell what is legal.
        """
        legal = game.view().legal
        if not legal:
            raise UsageError(f"{self.uid!r} cannot play {game.env_id}: the game does not tell what is legal.")
        return draw_one(legal, seed, self.uid)
