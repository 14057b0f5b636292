"""Matches: a policy against an opponent without a network, as many games as either player, each from its own seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.league.long_template import MARKS
from kit.errors import GameError
from kit.league.actor import Actor
from kit.league.game_record import GameRecord
from kit.league.game_spec import EVAL, GameSpec, PlayerSpec
from kit.league.games.registry import make_game
from kit.league.local import LocalPool
from kit.league.opponents.registry import make_opponent
from kit.league.outcome import meetings
from kit.league.play import FIXED
from kit.league.play_settings import PlaySettings
from kit.league.prompt_templates import find_template
from kit.league.seeds import derived_seed
from kit.lm.language_model import LanguageModel
from kit.lm.transformers_backend import TransformersBackend

SIDES = ("first", "second")


@dataclass(frozen=True)
class Match:
    """What is played.

    Attributes:
        env_id: which game.
        opponent: against whom, by name.
        games: half of them as the player who begins.
        temperature: that the policy draws at; 0: its likeliest answer.
        max_tokens: of an answer.
        seed: of all the games.
    """

    env_id: str
    opponent: str
    games: int
    temperature: float
    max_tokens: int
    seed: int


def played(lm: LanguageModel, adapter: Path | None, match: Match) -> dict[str, list[int]]:
    """Play a match; return games won, drawn and lost by the policy, for each side that it played.

    ``adapter`` is its folder; None: the model as it was loaded.

    Raises:
        GameError: a game broke.
    """
    settings = PlaySettings(
        make_game, make_opponent, find_template, Path(), match.temperature, match.max_tokens
    )
    pool = LocalPool([Actor(TransformersBackend(lm, most_rows=512))], settings)
    name = None if adapter is None else str(adapter.resolve())
    try:
        pool.start([_spec(match, number, name) for number in range(match.games)])
        records: list[GameRecord] = []
        while pool.in_flight(EVAL):
            records += pool.round()
    finally:
        pool.close()
    return counted(records)


def _spec(match: Match, number: int, adapter: str | None) -> GameSpec:
    """Return the game of that number; the policy begins where it is even."""
    own = number % 2
    policy = PlayerSpec(own, "policy", adapter, MARKS.name, learns=False, policy_version=0)
    other = PlayerSpec(1 - own, match.opponent, None, MARKS.name, learns=False, policy_version=FIXED)
    players = (policy, other) if own == 0 else (other, policy)
    return GameSpec(number, derived_seed(match.seed, match.opponent, number), match.env_id, EVAL, players)


def counted(records: Sequence[GameRecord]) -> dict[str, list[int]]:
    """Return how many were won, drawn and lost on each side.

    Raises:
        GameError: one broke.
    """
    found = {side: [0, 0, 0] for side in SIDES}
    for record in records:
        if record.fault:
            raise GameError(record.fault)
        [(own, _, points)] = [one for one in meetings(record) if one[0].uid == "policy"]
        found[SIDES[own.pid]][{1.0: 0, 0.5: 1, 0.0: 2}[points]] += 1
    return found


def both(counts: dict[str, list[int]]) -> list[int]:
    """Return games won, drawn and lost on both sides."""
    return [sum(one) for one in zip(*counts.values(), strict=True)]
