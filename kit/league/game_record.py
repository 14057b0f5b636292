"""GameRecord: a game that was played, or that broke; a broken game is data, not a crash."""

from __future__ import annotations

from dataclasses import dataclass

from kit.league.game_spec import GameSpec
from kit.league.trajectory import Trajectory


@dataclass(frozen=True)
class Move:
    """One move of anybody: what was answered, what the parser made of it, and whether it was legal."""

    pid: int
    text: str
    action: str
    format_ok: bool
    legal: bool


@dataclass(frozen=True)
class GameRecord:
    """A game that is over.

    Attributes:
        spec: what was to be played.
        trajectories: of the players that learn.
        rewards: by pid, as the game gave them; empty where it broke.
        moves: all of them, in order.
        fault: what broke it (an environment that threw, an opponent that did not answer); empty where nothing did.
    """

    spec: GameSpec
    trajectories: tuple[Trajectory, ...]
    rewards: tuple[float, ...]
    moves: tuple[Move, ...]
    fault: str = ""
