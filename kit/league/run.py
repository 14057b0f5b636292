"""Run: a league that ``build()`` put together, started, waited for and stopped."""

from __future__ import annotations

import hashlib
import logging
import sys
import threading
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from kit.errors import UsageError
from kit.league.assembly import EVAL_WORKERS, Assembly
from kit.league.build_settings import BuildSettings
from kit.league.collector import Workers
from kit.league.league import League
from kit.league.metric_writers import MetricLogs
from kit.league.ray_backend import RaySettings
from kit.league.results import results
from kit.league.terminal_interface import TerminalInterface
from kit.league.under_session import learn
from kit.session import TrainingSession

logger = logging.getLogger(__name__)

NOTEBOOK = "self_play"
SMALL = 2**24
"""Bytes of a model's file up to which its content is part of a run's identity, not only its name and size."""


class Run:
    """A league and its session. Made by ``build()``.

    Attributes:
        parts: the boxes.
        league: once it was started.
    """

    def __init__(
        self,
        settings: BuildSettings,
        *,
        logs: MetricLogs | None = None,
        ray_settings: RaySettings | None = None,
    ) -> None:
        self.settings, self._logs = settings, logs or MetricLogs()
        self.parts = Assembly(settings, ray_settings)
        self.league: League | None = None
        self._session: TrainingSession | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._interface = False
        self._summary: dict[str, Any] = {}

    def start(
        self,
        learning_steps: int = 200,
        num_collection_workers: int = 256,
        num_eval_workers: int = EVAL_WORKERS,
        *,
        background: bool = False,
        interface: bool = True,
        **options: Any,
    ) -> Run:
        """Play until there were so many updates; where a run of these settings is in the folder, go on with it.

        Returns when it has ended: complete, at a deadline, or by a signal. In the ``background`` at once; then ``wait``
        waits, and a signal still stops it between two updates.

        Args:
            learning_steps: updates in all, those of earlier sessions included.
            num_collection_workers: games to learn from in flight.
            num_eval_workers: games that measure in flight, beside the others or in an evaluation.
            background: whether to return at once.
            interface: whether to show on a terminal how things go, every two seconds.
            **options: of TrainingSession.open: ``out`` (the run folder), ``soft_limit``, ``fresh`` …

        Raises:
            UsageError: it was started before, or there is nobody to play.
            KitError: whatever ends a run.
        """
        if self._session is not None:
            raise UsageError("A run is started once: build() another one, which goes on in the same folder.")
        options = {"tensorboard": self._logs.tensorboard, **options}
        self._interface = interface
        workers = self._workers(num_collection_workers, num_eval_workers)
        session = self._session = TrainingSession.open(
            NOTEBOOK, total_timesteps=learning_steps, config=self.config(workers, num_eval_workers), **options
        )
        if background:
            self._thread = threading.Thread(
                target=self._play_aside, args=(session, workers, num_eval_workers), name="kit-league"
            )
            self._thread.start()
        else:
            try:
                self._play(session, workers, num_eval_workers)
            except BaseException as error:
                self._error = error  # so that wait() does not say afterwards that all was well
                raise
        return self

    def wait(self) -> dict[str, Any]:
        """Wait for the end and return the summary of the session, as often as it is asked.

        Raises:
            UsageError: it was not started.
            KitError: what ended it.
        """
        if self._session is None:
            raise UsageError("The run was not started: call start() first.")
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self._summary

    def stop(self) -> None:
        """Ask it to stop between two updates, with a checkpoint to go on from; returns at once."""
        if self._session is not None:
            self._session.pace.wish = "stop() was called"

    def config(self, workers: Workers, eval_workers: int = EVAL_WORKERS) -> dict[str, Any]:
        """Return everything that decides the results, as plain values; devices do not, but for the last bits.

        How many games of an evaluation are in flight is among it: ratings move in the order in which games end.
        """
        settings = self.settings
        parts = (settings.matches, settings.player, settings.training)
        told = {name: value for part in parts for name, value in described(part).items() if name != "devices"}
        told |= {"model_name": fingerprint(settings.player.model_name)}
        more = {"backend": settings.backend, "seed": settings.seed}
        return {**told, **more, "workers": described(workers), "eval_workers": eval_workers}

    def league_under(
        self, session: TrainingSession, workers: Workers, eval_workers: int = EVAL_WORKERS
    ) -> League:
        """Return the league in a session's run folder, its rows going where ``build()`` was told."""
        self.parts.tracker.writers = self._logs.writers(session)
        return self.parts.league(session.folder.root, workers, eval_workers)

    def _workers(self, train: int, evaluate: int) -> Workers:
        matches = self.settings.matches
        if evaluate < 0 or (matches.eval_games and not evaluate):
            raise UsageError(
                f"num_eval_workers must be at least 1 where there are games of an evaluation, not {evaluate}."
            )
        beside = bool(matches.eval_envs) and not matches.eval_every
        return Workers(train, evaluate if beside else 0)

    def _play_aside(self, session: TrainingSession, workers: Workers, eval_workers: int) -> None:
        try:
            self._play(session, workers, eval_workers)
        except BaseException as error:
            logger.exception("The run has ended by an error; wait() raises it.")
            self._error = error
            if not isinstance(error, Exception):
                raise

    def _play(self, session: TrainingSession, workers: Workers, eval_workers: int) -> None:
        with session:
            league = self.league = self.league_under(session, workers, max(1, eval_workers))
            try:
                # Not sys.stdout: that is the session's, which throttles what third parties print.
                with TerminalInterface(sys.__stdout__ if self._interface else StringIO()) as screen:
                    league.parts.collector.on_round = partial(_show, screen, league)
                    learn(session, league)
                if session.trained:
                    session.save_results(results(league))
            finally:
                league.close()
        self._summary = session.close()


def _show(screen: TerminalInterface, league: League) -> None:
    if screen.due():
        screen.show(**league.views())


def described(value: Any) -> Any:
    """Return settings as plain values that say all of what they are: dataclasses by field, other objects by class."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): described(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [described(one) for one in value]
    if is_dataclass(value):
        return {one.name: described(getattr(value, one.name)) for one in fields(value)}
    more = vars(value) if hasattr(value, "__dict__") else {"value": str(value)}
    return {"kind": type(value).__qualname__} | {name: described(one) for name, one in more.items()}


def fingerprint(model_name: str) -> str:
    """Return what tells a model from others of its name: of a folder a hash of its files, else the name itself."""
    folder = Path(model_name)
    if not folder.is_dir():
        return model_name
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
        if size <= SMALL:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
