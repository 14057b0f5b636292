"""The prompts of real games: rounds of them as a league at work asks them, to be answered again by anybody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.league.speed_legal import LegalMoves
from benchmarks.league.speed_player import ANSWER_TOKENS
from kit.league.actor import Actor
from kit.league.game_record import GameRecord
from kit.league.game_spec import TRAIN, GameSpec, PlayerSpec
from kit.league.games.registry import make_game
from kit.league.local import LocalPool
from kit.league.opponents.registry import make_opponent
from kit.league.play_settings import PlaySettings
from kit.league.prompt_templates import find_template
from kit.league.seeds import derived_seed
from kit.lm.backend import Backend
from kit.lm.generation import Generation, Request

Rounds = list[list[Request]]
AT_FIRST = 10
"""Rounds after which games are at all their moves, and no longer all at the same one."""


class Recorder:
    """A backend that keeps what another one is asked."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.asked: Rounds = []

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer, and keep the requests."""
        self.asked.append(list(requests))
        return self._backend.generate(requests)

    def forget(self, adapter: str) -> None:
        """Drop what is kept of an adapter."""
        self._backend.forget(adapter)


def mirror(number: int, env_id: str, template: str) -> GameSpec:
    """Return a game of the policy, as it was loaded, against itself."""
    players = tuple(PlayerSpec(pid, "policy", None, template, True, 0) for pid in range(2))
    return GameSpec(number, derived_seed("speed", env_id, number), env_id, TRAIN, players)


def play_settings(template: str) -> PlaySettings:
    """Return how these games are played."""
    return PlaySettings(make_game, make_opponent, find_template, Path(), 1.0, ANSWER_TOKENS[template])


class Endless:
    """Games of a kind, so many in flight, each followed by another when it ends."""

    def __init__(self, backend: Backend, env_id: str, template: str, in_flight: int) -> None:
        self.pool = LocalPool([Actor(backend)], play_settings(template))
        self._env_id, self._template, self._in_flight, self._begun = env_id, template, in_flight, 0

    def round(self) -> list[GameRecord]:
        """Play a round; return the games that ended in it."""
        missing = self._in_flight - self.pool.in_flight(TRAIN)
        numbers = range(self._begun, self._begun + missing)
        self.pool.start([mirror(number, self._env_id, self._template) for number in numbers])
        self._begun += missing
        return self.pool.round()


def recorded(env_id: str, template: str, *, in_flight: int, rounds: int) -> Rounds:
    """Return what so many rounds of random legal games ask, after the first ones, with so many in flight."""
    recorder = Recorder(LegalMoves())
    games = Endless(recorder, env_id, template, in_flight)
    for _ in range(AT_FIRST + rounds):
        games.round()
    games.pool.close()
    return recorder.asked[AT_FIRST:]


def count(rounds: Rounds) -> int:
    """Return the number of prompts."""
    return sum(map(len, rounds))


def without_doubles(rounds: Rounds) -> Rounds:
    """Return them with no prompt twice in a round."""
    return [list({request.prompt: request for request in asked}.values()) for asked in rounds]
