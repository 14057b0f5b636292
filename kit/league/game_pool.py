"""The pool of games in flight: what the collector needs of whatever plays them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from kit.league.game_record import GameRecord
from kit.league.game_spec import EVAL, TRAIN, GameSpec

KINDS = (TRAIN, EVAL)


class GamePool(Protocol):
    """Games in flight, which move in rounds: in each, every policy whose turn it is answers once.

    Two pools that were given the same games play them in the same rounds, and hand over the same records in the same
    order, wherever and in however many processes they play.
    """

    @property
    def actors(self) -> int:
        """How many share the requests of a round, and so in which batches these are answered."""
        ...

    def start(self, specs: Sequence[GameSpec]) -> None:
        """Take games in; they move from the next round on."""
        ...

    def round(self, kinds: Sequence[str] = KINDS) -> list[GameRecord]:
        """Play one round of the games of these kinds; return those that ended, in order of their numbers."""
        ...

    def in_flight(self, kind: str) -> int:
        """Return how many games of a kind have not ended."""
        ...

    def adapters(self) -> set[str]:
        """Return the names of the adapters that games in flight need."""
        ...

    def forget(self, names: Sequence[str]) -> None:
        """Drop what is kept of adapters that nobody plays any more."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the games in flight, each as what it is replayed from, in order of their numbers."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with those games, and no others."""
        ...

    def close(self) -> None:
        """End what answers in processes or threads of its own."""
        ...
