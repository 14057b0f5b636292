"""PlaySettings: everything that games in play share: where games, opponents, templates and adapters come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.errors import UsageError

if TYPE_CHECKING:
    from kit.league.game import Game
    from kit.league.opponents.opponent import Opponent
    from kit.league.prompt_templates import PromptTemplate


@dataclass(frozen=True)
class PlaySettings:
    """How games are played; the same for all of them.

    Attributes:
        make_game: returns a new game by its id and its number of players.
        make_opponent: returns a player without a policy of the league, by its name in the registry.
        template: returns a prompt template by its name.
        folder: what the names of adapters are relative to, so that a run can move with its folder.
        temperature: that policies draw at.
        max_tokens: of an answer, at most.
        most_moves: of a game, everybody's counted; one that goes on longer is broken.
    """

    make_game: Callable[[str, int], Game]
    make_opponent: Callable[[str], Opponent]
    template: Callable[[str], PromptTemplate]
    folder: Path
    temperature: float = 1.0
    max_tokens: int = 64
    most_moves: int = 500

    def __post_init__(self) -> None:
        if self.most_moves < 1:
            raise UsageError(f"most_moves must be at least 1, not {self.most_moves}.")
