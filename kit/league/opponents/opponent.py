"""Opponent: whoever plays a game without being trained here."""

from __future__ import annotations

from typing import Protocol

from kit.league.game import Game


class Opponent(Protocol):
    """Plays either seat of any game that it knows.

    Attributes:
        uid: how the registry calls it.
        network: whether it answers over a network, so that others need not wait for it.
    """

    uid: str
    network: bool

    def act(self, game: Game, seed: int) -> str:
        """Return a bare action for the player whose move it is in ``game``; the game itself is not changed.

        ``seed`` belongs to this one move. Without a network the same position and seed are answered by the same action.

        Raises:
            UsageError: it does not know this game.
            GameError: it gives no answer.
        """
        ...
