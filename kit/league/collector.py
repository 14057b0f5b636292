"""Collector: keeps games in flight over a pool, and hands on what they leave, to the buffer above all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.errors import UsageError
from kit.league.faults import FaultBound, FaultWatch
from kit.league.game_pool import KINDS, GamePool
from kit.league.game_record import GameRecord
from kit.league.game_spec import EVAL, TRAIN

if TYPE_CHECKING:
    from kit.league.buffer import BaseBuffer
    from kit.league.game_scheduler import GameScheduler
    from kit.league.model_registry import ModelRegistry
    from kit.league.tracker import Tracker

logger = logging.getLogger(__name__)

MOST_BARREN = 1_000
"""Training games in a row that did not fill the buffer further, after which none will."""


@dataclass(frozen=True)
class Workers:
    """How many games are in flight, at most.

    Attributes:
        train: games that are learnt from.
        evaluate: games beside them that only measure, from the first round on; 0: none but those that ``evaluate``
            plays.
    """

    train: int
    evaluate: int = 0

    def __post_init__(self) -> None:
        if self.train < 1 or self.evaluate < 0:
            raise UsageError(
                f"There must be at least 1 train worker and 0 eval workers, not {self.train} and {self.evaluate}."
            )


class Collector:
    """Plays games until the buffer holds a batch, and games that measure.

    Training games are begun as long as there is room for them in flight and the buffer wants more; those in flight are
    played on whatever it says, so that none waits in the middle for weights that are newer than its own. A game that
    broke is counted, reported to scheduler and tracker, and learnt from by nobody; too many of them end the run.
    """

    def __init__(
        self,
        scheduler: GameScheduler,
        buffer: BaseBuffer,
        registry: ModelRegistry,
        tracker: Tracker,
        pool: GamePool,
        bound: FaultBound | None = None,
    ) -> None:
        self._scheduler, self._buffer, self._registry = scheduler, buffer, registry
        self._tracker, self.pool = tracker, pool
        self.faults = FaultWatch(bound)
        self.workers = Workers(1)
        self.on_round: Callable[[], object] = _nothing
        """Called after every round, by whoever shows how things go; it must change nothing."""

    def collect(self, batch_size: int) -> None:
        """Play until the buffer holds a batch.

        Raises:
            GameError: too many games break.
            UsageError: the buffer can never hold a batch, or nothing comes into it.
        """
        barren, most = 0, len(self._buffer)
        while not self._buffer.ready(batch_size):
            self._fill_train()
            self._fill_eval(self.workers.evaluate)
            ended = sum(record.spec.kind == TRAIN for record in self._round(KINDS))
            barren = barren + ended if len(self._buffer) <= most else 0
            most = max(most, len(self._buffer))
            if barren >= MOST_BARREN:
                raise UsageError(
                    f"{barren:,} training games in a row left nothing to learn from: the buffer held {most} steps at "
                    f"most, and a batch has {batch_size}. Either the policy made no move in them, or what comes in "
                    "pushes out as much."
                )

    def evaluate(self, games: int, workers: int) -> list[GameRecord]:
        """Play so many games that only measure, all to their end; training games stand still meanwhile.

        Games that measure and were begun before are played on beside them, but are no part of what is returned: theirs
        is an earlier policy.
        """
        found: list[GameRecord] = []
        own: set[int] = set()
        while len(found) < games:
            own |= self._fill_eval(min(workers, self.pool.in_flight(EVAL) + games - len(own)))
            found += [record for record in self._round((EVAL,)) if record.spec.number in own]
        return found

    def _fill_train(self) -> None:
        """Begin training games as long as the buffer has room for more; one at least, for a batch is wanted."""
        in_flight, specs = self.pool.in_flight(TRAIN), []
        while in_flight < self.workers.train and (
            not in_flight or self._buffer.continue_collection(in_flight)
        ):
            specs.append(self._scheduler.next_train())
            in_flight += 1
        if specs:
            self.pool.start(specs)

    def _fill_eval(self, wanted: int) -> set[int]:
        """Begin games that measure until so many are in flight; return the numbers of those that were begun."""
        specs = [self._scheduler.next_eval() for _ in range(wanted - self.pool.in_flight(EVAL))]
        if specs:
            self.pool.start(specs)
        return {spec.number for spec in specs}

    def _round(self, kinds: Sequence[str]) -> list[GameRecord]:
        records = self.pool.round(kinds)
        for record in records:
            self._hand_over(record)
        self.on_round()
        return records

    def _hand_over(self, record: GameRecord) -> None:
        spec = record.spec
        self._scheduler.finished(record)
        self._tracker.log_game(record)
        if spec.kind == TRAIN:
            self._buffer.add(record)
        if record.fault:
            logger.warning("Game %d of %s broke: %s", spec.number, spec.env_id, record.fault)
        elif len(spec.players) > 1:
            self._registry.update_ratings([one.uid for one in spec.players], record.rewards, spec.env_id)
        self.faults.note(record)

    def state_dict(self) -> dict[str, Any]:
        """Return the games in flight, and what the next ones are judged with."""
        return {"pool": self.pool.state_dict(), "faults": self.faults.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with those games: each is replayed, and must come out as it was."""
        self.pool.load_state_dict(state["pool"])
        self.faults.load_state_dict(state["faults"])


def _nothing() -> None:
    """Show nothing."""
