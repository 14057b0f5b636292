"""GameSpec: one game to be played, by whom and from which seed; the scheduler makes it, the collector plays it."""

from __future__ import annotations

from dataclasses import dataclass

TRAIN, EVAL = "train", "eval"


@dataclass(frozen=True)
class PlayerSpec:
    """One player of a game.

    Attributes:
        pid: its number in the game, from 0.
        uid: who plays, by the registry's name.
        adapter: folder of its LoRA adapter; None for the base model and for an opponent without a network.
        template: name of the prompt template.
        learns: whether its steps go to the buffer.
        policy_version: learner updates behind its weights; -1 for a fixed opponent.
    """

    pid: int
    uid: str
    adapter: str | None
    template: str
    learns: bool
    policy_version: int


@dataclass(frozen=True)
class GameSpec:
    """A game to be played.

    Attributes:
        number: of the game in the league, from 0; no two are alike.
        seed: of everything random in it: cards, and what players draw.
        env_id: which game.
        kind: TRAIN or EVAL.
        players: by pid.
    """

    number: int
    seed: int
    env_id: str
    kind: str
    players: tuple[PlayerSpec, ...]
