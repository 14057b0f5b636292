"""LocalPool: games in this process, in rounds that time plays no part in; the same games always end the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from kit.errors import ContextLengthError, UsageError
from kit.league.actor import Actor
from kit.league.actor_pool import ActorPool
from kit.league.game_pool import KINDS
from kit.league.game_record import GameRecord
from kit.league.game_spec import GameSpec
from kit.league.play import GameInPlay
from kit.league.play_settings import PlaySettings

NETWORK_THREADS = 16
"""Opponents that are asked over a network at a time."""


class LocalPool:
    """Games over one actor, or several of them (one a device), which share the requests of a round.

    In a round all requests are asked at once, in order of the games' numbers. Opponents without a network move
    at once; those with one are asked side by side, and the games wait for all of them.
    """

    def __init__(self, actors: Sequence[Actor], settings: PlaySettings) -> None:
        self._actors, self._settings = ActorPool(actors), settings
        self._games: dict[int, GameInPlay] = {}

    @property
    def actors(self) -> int:
        """How many actors answer."""
        return len(self._actors)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(NETWORK_THREADS, thread_name_prefix="kit-league")

    def start(self, specs: Sequence[GameSpec]) -> None:
        """Take games in; opponents that come first have moved when it returns."""
        for spec in specs:
            if spec.number in self._games:
                raise UsageError(f"Game {spec.number} is in flight already.")
            self._games[spec.number] = GameInPlay(spec, self._settings)
        self._advance([self._games[spec.number] for spec in specs])

    def round(self, kinds: Sequence[str] = KINDS) -> list[GameRecord]:
        """Play one round of the games of these kinds; return those that ended, in order of their numbers."""
        games = [play for play in self._in_order() if play.spec.kind in kinds]
        self._move(games)
        ended = [play for play in games if play.over]
        for play in ended:
            del self._games[play.spec.number]
        return [play.record() for play in ended]

    def catch_up(self, rounds: Mapping[int, int]) -> None:
        """Play games again that were lost elsewhere, each as many rounds as it had there, by its number."""
        for count in range(max(rounds.values(), default=0)):
            self._move([self._games[number] for number in sorted(rounds) if rounds[number] > count])

    def in_flight(self, kind: str) -> int:
        """Return how many games of a kind have not ended."""
        return sum(play.spec.kind == kind for play in self._games.values())

    def adapters(self) -> set[str]:
        """Return the names of the adapters that games in flight need."""
        return {name for play in self._games.values() for name in play.adapters}

    def forget(self, names: Sequence[str]) -> None:
        """Drop what is kept of adapters that nobody plays any more."""
        for name in names:
            self._actors.forget(str(self._settings.folder / name))

    def state_dict(self) -> dict[str, Any]:
        """Return the games in flight, each as what it is replayed from, in order of their numbers."""
        return {"games": [play.state_dict() for play in self._in_order()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with those games, and no others; each is replayed, and must come out as it was."""
        plays = [GameInPlay.restored(saved, self._settings) for saved in state["games"]]
        self._games = {play.spec.number: play for play in plays}

    def close(self) -> None:
        """End the threads, and the actors."""
        if "_threads" in self.__dict__:
            self._threads.shutdown(wait=False, cancel_futures=True)
            del self._threads
        self._actors.close()

    def _in_order(self) -> list[GameInPlay]:
        return [self._games[number] for number in sorted(self._games)]

    def _move(self, games: Sequence[GameInPlay]) -> None:
        """Let every policy of these games whose turn it is answer once, and then the opponents."""
        asked = [(play, request) for play in games if (request := play.pending()) is not None]
        answers = self._actors.answer_each([request for _, request in asked])
        for (play, _), answer in zip(asked, answers, strict=True):
            if isinstance(answer, ContextLengthError):
                play.break_off(str(answer))
            else:
                play.take(answer)
        self._advance(games)

    def _advance(self, games: Sequence[GameInPlay]) -> None:
        """Let opponents move until policies are to move in all games; none of them sees another's game."""
        waiting = [play for play in games if play.opponent_moves]
        while waiting:
            far = [play for play in waiting if play.waits_for_network]
            near = [play for play in waiting if not play.waits_for_network]
            for play in far:
                play.look()
            for group in (near, far):
                actions = self._map(GameInPlay.ask, group, side_by_side=group is far and len(far) > 1)
                for play, action in zip(group, actions, strict=True):
                    play.answered(action)
            waiting = [play for play in waiting if play.opponent_moves]

    def _map(self, call: Callable[[Any], Any], items: Sequence[Any], *, side_by_side: bool) -> list[Any]:
        found: Iterable[Any] = self._threads.map(call, items) if side_by_side else map(call, items)
        return list(found)
