"""The game, as the league sees it: whose move it is, what that player sees, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class View:
    """What the player whose move it is sees.

    Attributes:
        player: who that is, from 0.
        rules: the game and the player's role in it, the same in every game of that role: the prompt's fixed part.
        state: everything else that this player may know, in the game's own words.
        compact: the same in as few characters as tell it apart from every other state.
        legal: the actions that are legal, bare (``4``, ``check``); empty where the game does not tell.
    """

    player: int
    rules: str
    state: str
    compact: str
    legal: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What the game made of an action: whether it was legal, and if not why."""

    legal: bool
    reason: str = ""


class Game(Protocol):
    """A game in play. Two of them with the same seed and the same actions are in the same state.

    That is how a game in mid-play is saved: its seed and the actions so far.

    Attributes:
        env_id: how it is called.
        num_players: players, numbered from 0.
    """

    env_id: str
    num_players: int

    def reset(self, seed: int) -> None:
        """Begin a game; every random number in it comes from ``seed``, and no global generator is touched."""
        ...

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        ...

    @property
    def player(self) -> int:
        """Whose move it is; the last mover's number once it is over."""
        ...

    def view(self) -> View:
        """Return what that player sees; asking twice changes nothing."""
        ...

    def step(self, action: str) -> Verdict:
        """Make a bare action (``4``, ``check``) as that player; an illegal one ends the game or changes nothing."""
        ...

    def rewards(self) -> tuple[float, ...]:
        """Return each player's reward once it is over, 0 for all before."""
        ...
