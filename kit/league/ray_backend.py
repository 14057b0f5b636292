"""RayPool: games in long-lived ray actors, many games each; a killed one is replaced, and its games played again."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kit.errors import GameError, MissingDependencyError, UsageError
from kit.league.actor import Actor, Gauge
from kit.league.game_pool import KINDS
from kit.league.game_record import GameRecord
from kit.league.game_spec import GameSpec
from kit.league.local import LocalPool
from kit.league.play_settings import PlaySettings
from kit.league.saved_play import read_spec
from kit.lm.backend import Backend

logger = logging.getLogger(__name__)

MOST_DEATHS = 3
"""How often a worker is replaced within one call, at most."""


@dataclass(frozen=True)
class RaySettings:
    """How a pool of ray actors is made.

    Attributes:
        workers: ray actors; games go to them in turn, by their numbers.
        cpus: cores that ray sets aside for each; torch uses as many threads there.
        gpus: and GPUs, or shares of one.
    """

    workers: int = 1
    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.workers < 1 or self.cpus < 0 or self.gpus < 0:
            raise UsageError(
                f"workers must be at least 1, cpus and gpus at least 0, not {self.workers}, {self.cpus} and "
                f"{self.gpus}."
            )


def import_ray() -> Any:
    """Return the ray package.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            "backend='ray' needs ray: pip install -r requirements-llm.txt. backend='local' needs nothing."
        ) from error
    return ray


class Worker:
    """What runs in each ray actor: a local pool over a backend of its own."""

    def __init__(self, make_backend: Callable[[], Backend], settings: PlaySettings) -> None:
        self._gauges: dict[str, float] = {}
        self._pool = LocalPool([Actor(make_backend(), gauge=self)], settings)

    def gauge(self, name: str, value: float) -> None:
        """Keep what the actor reports until the round is over."""
        self._gauges[name] = value

    def start(self, specs: Sequence[GameSpec]) -> None:
        """Take games in."""
        self._pool.start(specs)

    def round(self, kinds: Sequence[str]) -> tuple[list[GameRecord], dict[str, float]]:
        """Play one round; return the games that ended, and how the actor stands."""
        return self._pool.round(kinds), self._gauges

    def catch_up(self, state: dict[str, Any], specs: Sequence[GameSpec], rounds: Mapping[int, int]) -> None:
        """Take the games of a worker that died: those saved in ``state``, and ``specs``; play the rounds each had."""
        self._pool.load_state_dict(state)
        self._pool.start(specs)
        self._pool.catch_up(rounds)

    def forget(self, names: Sequence[str]) -> None:
        """Drop what is kept of adapters."""
        self._pool.forget(names)

    def state_dict(self) -> dict[str, Any]:
        """Return the games in flight here."""
        return self._pool.state_dict()


class RayPool:
    """Games over ray actors, in the same rounds as in a LocalPool.

    With answers that do not depend on the batch it hands over the same records in the same order, however many workers
    there are, and whether one of them dies: it is replaced, and its games are played again from their seeds, as many
    rounds as they had. The actors are made at the first game. Where ray runs already it is used as it is; else one is
    started on this machine, and shut down at ``close``.
    """

    def __init__(
        self,
        make_backend: Callable[[], Backend],
        settings: PlaySettings,
        ray_settings: RaySettings | None = None,
        gauge: Gauge | None = None,
    ) -> None:
        self._ray = import_ray()
        self._make_backend, self._settings = make_backend, settings
        self._how, self._gauge = ray_settings or RaySettings(), gauge
        self._workers: list[Any] = []
        self._own_ray = False
        self._specs: dict[int, GameSpec] = {}
        self._rounds: dict[int, int] = {}
        self._saved: dict[int, dict[str, Any]] = {}
        self.replaced = 0
        """Workers that died so far."""

    @property
    def workers(self) -> tuple[Any, ...]:
        """The ray actors; none before the first game."""
        return tuple(self._workers)

    @property
    def actors(self) -> int:
        """How many workers play."""
        return self._how.workers

    def start(self, specs: Sequence[GameSpec]) -> None:
        """Take games in; they move from the next round on."""
        for spec in specs:
            if spec.number in self._specs:
                raise UsageError(f"Game {spec.number} is in flight already.")
            self._specs[spec.number], self._rounds[spec.number] = spec, 0
        if not self._workers:
            self._begin()  # with all games that are known
            return
        shares = {
            place: [spec for spec in specs if self._place(spec.number) == place]
            for place in range(self._how.workers)
        }
        places = [place for place, share in shares.items() if share]
        # One that has died gets them from its replacement: they are known by now.
        self._call(lambda worker, place: worker.start.remote(shares[place]), places, again=False)

    def round(self, kinds: Sequence[str] = KINDS) -> list[GameRecord]:
        """Play one round of the games of these kinds; return those that ended, in order of their numbers."""
        if not self._specs:
            return []
        found = self._call(lambda worker, _: worker.round.remote(list(kinds)))
        for number, spec in self._specs.items():
            self._rounds[number] += spec.kind in kinds
        self._report([gauges for _, gauges in found])
        records = sorted((one for share, _ in found for one in share), key=lambda record: record.spec.number)
        for record in records:
            for table in (self._specs, self._rounds, self._saved):
                table.pop(record.spec.number, None)
        return records

    def in_flight(self, kind: str) -> int:
        """Return how many games of a kind have not ended."""
        return sum(spec.kind == kind for spec in self._specs.values())

    def adapters(self) -> set[str]:
        """Return the names of the adapters that games in flight need."""
        players = (one for spec in self._specs.values() for one in spec.players)
        return {one.adapter for one in players if one.adapter is not None}

    def forget(self, names: Sequence[str]) -> None:
        """Drop what is kept of adapters that nobody plays any more."""
        if names and self._workers:
            self._call(lambda worker, _: worker.forget.remote(list(names)))

    def state_dict(self) -> dict[str, Any]:
        """Return the games in flight, each as what it is replayed from, in order of their numbers."""
        if not self._specs:
            return {"games": []}
        shares = self._call(lambda worker, _: worker.state_dict.remote())
        games = [game for share in shares for game in share["games"]]
        return {"games": sorted(games, key=lambda game: int(game["spec"]["number"]))}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with those games, and no others; each is replayed, and must come out as it was."""
        specs = [read_spec(game["spec"]) for game in state["games"]]
        self._specs = {spec.number: spec for spec in specs}
        self._rounds = dict.fromkeys(self._specs, 0)
        self._saved = {spec.number: game for spec, game in zip(specs, state["games"], strict=True)}
        self._stop_workers()

    def close(self) -> None:
        """End the actors, and ray where it was started for them."""
        self._stop_workers()
        if self._own_ray:
            self._ray.shutdown()
            self._own_ray = False

    # Workers

    def _place(self, number: int) -> int:
        return number % self._how.workers

    def _call(
        self, ask: Callable[[Any, int], Any], places: Sequence[int] | None = None, *, again: bool = True
    ) -> list[Any]:
        """Ask workers, all at once, and return what they said, in order; one that has died is replaced.

        ``again``: whether the replacement is asked too, which has all the games that the dead one had.
        """
        self._begin()
        places = range(self._how.workers) if places is None else places
        asked = {place: ask(self._workers[place], place) for place in places}
        return [self._answer(ask, place, answer, again) for place, answer in asked.items()]

    def _answer(self, ask: Callable[[Any, int], Any], place: int, answer: Any, again: bool) -> Any:
        for _ in range(MOST_DEATHS):
            try:
                return self._ray.get(answer)
            except self._ray.exceptions.RayActorError as error:
                logger.warning(
                    "Ray worker %d died and is replaced, its games are played again: %s", place, error
                )
                self._replace(place)
            if not again:
                return None
            answer = ask(self._workers[place], place)
        raise self._gave_up(place)

    def _gave_up(self, place: int) -> GameError:
        return GameError(
            f"Ray worker {place} died {MOST_DEATHS} times in a row: look at what kills it (memory?)."
        )

    def _begin(self) -> None:
        if self._workers:
            return
        if not self._ray.is_initialized():
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            self._ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
            self._own_ray = True
        self._refuse_more_than_there_is()
        self._workers = [self._make() for _ in range(self._how.workers)]
        for place in range(self._how.workers):
            self._give(place)

    def _refuse_more_than_there_is(self) -> None:
        """Ray would wait for ever for cores that no machine of the cluster has."""
        there = self._ray.cluster_resources()
        for name, each in (("CPU", self._how.cpus), ("GPU", self._how.gpus)):
            wanted, found = each * self._how.workers, there.get(name, 0.0)
            if wanted > found:
                raise UsageError(
                    f"{self._how.workers} ray workers of {each:g} {name} each want {wanted:g}, and ray has {found:g}. "
                    f"Ask for fewer workers, or for at most {found / self._how.workers:g} {name} each."
                )

    def _make(self) -> Any:
        remote = self._ray.remote(Worker)
        options = {"num_cpus": self._how.cpus, "num_gpus": self._how.gpus, "max_restarts": 0}
        return remote.options(**options).remote(self._make_backend, self._settings)

    def _replace(self, place: int) -> None:
        self.replaced += 1
        self._kill(self._workers[place])  # it may only be out of reach
        self._workers[place] = self._make()
        self._give(place)

    def _give(self, place: int) -> None:
        """Give a new worker all games of its place, brought to where they were."""
        numbers = [number for number in sorted(self._specs) if self._place(number) == place]
        state = {"games": [self._saved[number] for number in numbers if number in self._saved]}
        specs = [self._specs[number] for number in numbers if number not in self._saved]
        rounds = {number: self._rounds[number] for number in numbers}
        for _ in range(MOST_DEATHS):
            try:
                self._ray.get(self._workers[place].catch_up.remote(state, specs, rounds))
            except self._ray.exceptions.RayActorError as error:
                logger.warning("Ray worker %d died as it began: %s", place, error)
                self.replaced += 1
                self._kill(self._workers[place])  # it may only be out of reach
                self._workers[place] = self._make()
            else:
                return
        raise self._gave_up(place)

    def _kill(self, worker: Any) -> None:
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(worker, no_restart=True)

    def _stop_workers(self) -> None:
        for worker in self._workers:
            self._kill(worker)
        self._workers = []

    def _report(self, gauges: Sequence[Mapping[str, float]]) -> None:
        if self._gauge is None:
            return
        for place, values in enumerate(gauges):
            for name, value in values.items():
                self._gauge.gauge(f"worker{place}/{name}", value)
