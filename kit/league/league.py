"""League: scheduler, collector, buffer, learner, registry and tracker as one; an update is one turn of the circle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kit.errors import UsageError
from kit.league.adapters import AdapterShelf
from kit.league.collector import Collector, Workers
from kit.league.game_record import GameRecord
from kit.league.outcome import meetings
from kit.league.transcript import transcript

if TYPE_CHECKING:
    from kit.league.episode_buffer import EpisodeBuffer
    from kit.league.game_scheduler import GameScheduler
    from kit.league.learners.base import BaseLearner
    from kit.league.model_registry import ModelRegistry
    from kit.league.step_buffer import StepBuffer
    from kit.league.tracker import Tracker

SHOWN = 6
"""Games of an evaluation that are kept as text."""
Phase = Callable[[str, float], AbstractContextManager[None]]
"""Attributes the time inside a block to a phase, with so many units done."""


@dataclass(frozen=True)
class LeagueSettings:
    """How the circle turns.

    Attributes:
        batch_size: steps of an update; of a learner of episodes, so many or just more.
        workers: games in flight.
        eval_every: updates between two evaluations; 0: none but the last, and those games that measure which the
            workers play beside the others.
        eval_games: games of each.
        eval_workers: of them in flight at a time.
    """

    batch_size: int
    workers: Workers
    eval_every: int = 0
    eval_games: int = 0
    eval_workers: int = 16

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.eval_workers < 1:
            raise UsageError(
                f"batch_size and eval_workers must be at least 1, not {self.batch_size} and {self.eval_workers}."
            )
        if self.eval_every < 0 or self.eval_games < 0:
            raise UsageError(
                f"eval_every and eval_games must be at least 0, not {self.eval_every} and {self.eval_games}."
            )


class Monitor(Protocol):
    """Something that looks at each new policy, beside the games."""

    def look(self) -> dict[str, float]:
        """Return what it sees, for the row of metrics."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what its next looks depend on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned."""
        ...


@dataclass(frozen=True)
class LeagueParts:
    """What a league is made of, each the one box of that name."""

    scheduler: GameScheduler
    collector: Collector
    buffer: StepBuffer | EpisodeBuffer
    learner: BaseLearner
    registry: ModelRegistry
    tracker: Tracker
    save_policy: Callable[[Path], object]
    """Writes the adapter that is trained to a folder, which appears whole or not at all."""
    monitors: tuple[Monitor, ...] = ()


class League:
    """Learns by playing: ``update`` collects a batch, learns from it, and enters the new policy.

    ``state_dict`` holds all that the next update depends on; adapters lie beside, in the run folder ``root``, and are
    checked when the state is loaded.

    Attributes:
        iteration: updates so far.
        inexact: why a resumed run would not continue bit for bit; None: it does.
        evaluation: what the last evaluation came to: games, scores, and a few of the games as text.
    """

    def __init__(
        self, parts: LeagueParts, settings: LeagueSettings, root: Path, phase: Phase | None = None
    ) -> None:
        self.parts, self.settings = parts, settings
        self.shelf = AdapterShelf(root)
        self.phase: Phase = phase or (lambda _name, _count: nullcontext())
        self.iteration = 0
        self.inexact: str | None = None
        self.evaluation: dict[str, Any] = {"games": 0, "scores": {}, "transcripts": []}
        parts.collector.workers = settings.workers

    def update(self, *, last: bool = False) -> dict[str, float]:
        """Play, learn, enter the new policy, and return the row of metrics of this update.

        The ``last`` one of a run is followed by an evaluation whatever the settings say of others.

        Raises:
            DivergenceError: the loss is no number; the policy before is the last one that was entered.
            GameError: too many games break.
        """
        parts, settings = self.parts, self.settings
        lost = self.shelf.remove_from(self.iteration + 1)
        if lost:
            parts.collector.pool.forget(lost)
        parts.collector.collect(settings.batch_size)
        with self.phase("update", 1.0):
            learnt = parts.learner.update(parts.buffer.sample(settings.batch_size))
            metrics = {f"learner/{name}": value for name, value in learnt.items()}
            self.iteration += 1
            self._enter()
            for monitor in parts.monitors:
                metrics = {**metrics, **monitor.look()}
        every = settings.eval_every
        if settings.eval_games and (last or (every and self.iteration % every == 0)):
            self.evaluation = _judged(self.evaluate())
            metrics = {**metrics, **self.evaluation["scores"]}
        return {**parts.tracker.row(), **metrics}

    def evaluate(self, games: int | None = None) -> list[GameRecord]:
        """Play games that only measure, to their end, and return their records."""
        games = self.settings.eval_games if games is None else games
        with self.phase("evaluate", float(games)):
            return self.parts.collector.evaluate(games, self.settings.eval_workers)

    def _enter(self) -> None:
        """Save the policy as it is now and register it; drop those that nobody plays any more."""
        name = self.shelf.save(self.iteration, self.parts.save_policy)
        self.parts.registry.add_checkpoint(f"policy-{self.iteration}", name, self.iteration)
        self.parts.collector.pool.forget(self.shelf.prune(self._needed()))

    def _needed(self) -> set[str]:
        """Return the adapters that games in flight play with, and those that samplers may draw."""
        registry, playing = self.parts.registry, self.parts.collector.pool.adapters()
        drawn = (registry.entry(uid).path for uid in self.parts.scheduler.model_sampler.needs())
        return playing | {path for path in drawn if path is not None}

    def close(self) -> None:
        """End what plays in processes or threads of its own, and let the tracker's writers finish."""
        self.parts.collector.pool.close()
        self.parts.tracker.close()

    def views(self) -> dict[str, Any]:
        """Return how everything stands, as plain values, for whoever shows it."""
        parts = self.parts
        return {
            "tracker": parts.tracker.view(),
            "registry": parts.registry.view(),
            "buffer": parts.buffer.view(),
            "scheduler": parts.scheduler.view(),
        }

    # Saved and resumed

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next update depends on."""
        parts = self.parts
        return {
            "iteration": self.iteration,
            "scheduler": parts.scheduler.state_dict(),
            "collector": parts.collector.state_dict(),
            "buffer": parts.buffer.state_dict(),
            "learner": parts.learner.state_dict(),
            "registry": parts.registry.state_dict(),
            "tracker": parts.tracker.state_dict(),
            "adapters": self.shelf.capture(self._needed()),
            "actors": parts.collector.pool.actors,
            "evaluation": self.evaluation,
            "monitors": [monitor.state_dict() for monitor in parts.monitors],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned; the next update removes adapters of a future that was lost.

        Raises:
            IntegrityError: an adapter that is needed is gone or another one, or a game does not come out as it was.
        """
        parts = self.parts
        self.iteration, self.evaluation = state["iteration"], dict(state["evaluation"])
        self.shelf.check(state["adapters"])
        if state["actors"] != parts.collector.pool.actors:
            before, now = state["actors"], parts.collector.pool.actors
            self.inexact = (
                self.inexact or f"requests were shared among {before} actors before, and now among {now}"
            )
        for name in ("registry", "scheduler", "buffer", "learner", "tracker", "collector"):
            getattr(parts, name).load_state_dict(state[name])
        for monitor, saved in zip(parts.monitors, state["monitors"], strict=True):
            monitor.load_state_dict(saved)


def _judged(records: Sequence[GameRecord]) -> dict[str, Any]:
    return {
        "games": len(records),
        "scores": scores(records),
        "transcripts": [transcript(record) for record in records[:SHOWN]],
    }


def scores(records: Iterable[GameRecord]) -> dict[str, float]:
    """Return the mean score of the policy against each opponent in each game: 1 won, 0.5 drawn, 0 lost."""
    found: dict[str, list[float]] = {}
    for record in records:
        for _, opponent, score in meetings(record):
            found.setdefault(f"eval_score/{record.spec.env_id}/{opponent.uid}", []).append(score)
    return {name: fsum(values) / len(values) for name, values in sorted(found.items())}
