"""Launches a notebook as a run: prepares the folder, runs it under papermill, and concludes it honestly.

This is what ``run`` and ``quick-test`` do. The session inside the notebook keeps the run safe; what is added
here is what only the outside can know: that the kernel died, that a cell was skipped, how long the whole
command took, and the executed notebook in the archive.
"""

from __future__ import annotations

import itertools
import logging
import re
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import kit.errors
from kit.errors import KitError, NotebookError, StorageError, UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.config import describe, refuse_other_config
from kit.harness.finalise import finalise_again, finalise_from_disk, is_archived
from kit.harness.lock import FileLock, end_holder
from kit.harness.run_folder import move_aside
from kit.harness.summary import COMPLETE, FAILED, STOPPED, SessionLedger, read_json, read_summary, write_json
from kit.harness.watchdog import HANG, STOP_HARD, request_stop
from kit.launched import handed_over
from kit.notebooks.outcome import NotebookOutcome
from kit.notebooks.parameters import Parameter, read_parameters
from kit.notebooks.progress import RunProgress
from kit.notebooks.runner import run_notebook
from kit.opening import folder_of
from kit.report import write_report
from kit.run_record import read_run
from kit.timing.history import add_pair
from kit.timing.pair import NO_PAIR
from kit.timing.run_pair import pair_of_run

logger = logging.getLogger(__name__)

OPTION_PARAMETERS = frozenset(
    {"out", "soft_limit", "hard_limit", "session_limit", "on_pressure", "fresh", "quick_test"}
)
"""Parameters of a notebook that are options of its session: they decide no result."""


@dataclass(frozen=True)
class Launch:
    """What to run. ``values`` are the notebook's parameters, ``options`` those of its session that were given.

    ``handed`` are session options that reach the session past the notebook's parameters: see kit.launched.
    ``launched_s`` is when the command was launched, absolute monotonic seconds, where one was that does nothing but
    this: its time counts. None: time counts from ``NotebookRun`` on; who calls that may have lived for hours.
    """

    notebook: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    out: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False
    quick_test: bool = False
    progress: RunProgress | None = None
    handed: Mapping[str, Any] = field(default_factory=dict)
    launched_s: float | None = None


class NotebookRun:
    """One launch of one notebook."""

    def __init__(self, launch: Launch, clock: Clock = SYSTEM_CLOCK) -> None:
        self._launch, self._clock = launch, clock
        self._parameters = read_parameters(launch.notebook)
        self.folder = folder_of(launch.notebook.stem, launch.out, quick_test=launch.quick_test)
        self._began_s = clock.monotonic() if launch.launched_s is None else launch.launched_s
        self._requests = itertools.count(1)

    def run(self) -> dict[str, Any]:
        """Run it and return the summary, as it then also lies on disk; a complete run is returned as it is.

        Raises:
            UsageError: a parameter or setting cannot be used, inside the notebook too.
            ConfigMismatchError: the folder holds a run with other settings.
            RunLockedError: another process has the run open.
            NotebookError: the notebook has no session, so there is no run to conclude.
        """
        self.folder.refuse_foreign()
        done = self._complete_already()
        if done is not None:
            return self._archived(done)
        values = self._values()
        lock = self._prepare()
        try:
            return self._run(values)
        finally:
            lock.release()

    def _run(self, values: Mapping[str, Any]) -> dict[str, Any]:
        before = len(SessionLedger(self.folder).entries)
        previous = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            with self._launch.progress or nullcontext():
                outcome = run_notebook(
                    self._launch.notebook,
                    values,
                    self.folder.executed,
                    env=handed_over(self._began_s, self._launch.values, self._launch.handed),
                    on_tick=self._tick,
                    stop_file=self.folder.stop_request,
                    log=self.folder.notebook_log,
                )
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self._conclude(outcome, before)

    def _complete_already(self) -> dict[str, Any] | None:
        """Return the summary of a complete run of the same settings; refuse one of others."""
        there = read_run(self.folder)
        if not there or self._launch.fresh or self._launch.quick_test:
            return None
        known = there.get("config", {})
        defaults = {name: parameter.default for name, parameter in self._parameters.items()}
        asked = describe({**defaults, **self._launch.values})
        names = [name for name in asked if name in known and name not in OPTION_PARAMETERS]
        refuse_other_config(self.folder.root, {n: known[n] for n in names}, {n: asked[n] for n in names})
        summary = read_summary(self.folder.summary)
        return summary if summary.get("status") == COMPLETE and not there.get("quick_test") else None

    def _archived(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return the summary of a complete run, after making its archive where a kill came before that was done."""
        if not is_archived(self.folder):
            with FileLock(self.folder.launching).acquire():
                logger.warning(
                    "The run is complete, but was killed while it was archived: archiving it again."
                )
                if self.folder.partial.exists():
                    self.folder.partial.replace(self.folder.executed)
                finalise_again(self.folder, summary, partial(write_report, self.folder.root))
        return summary

    def _prepare(self) -> FileLock:
        """Make the folder ready and return its launch lock, held until the run is concluded."""
        folder, launch = self.folder, self._launch
        launching = FileLock(folder.launching).acquire()
        try:
            there = read_json(folder.run_json)
            with FileLock(folder.lock).acquire(), FileLock(folder.watching):
                if there.get("quick_test") and launch.quick_test:
                    folder.remove_run()
                elif there and (launch.fresh or launch.quick_test):
                    logger.warning("The run that was in %s is now in %s.", folder.root, move_aside(folder))
                    launching.release()
                    launching = FileLock(folder.launching).acquire()
            self._make_ready()
        except BaseException:
            launching.release()
            raise
        return launching

    def _make_ready(self) -> None:
        folder = self.folder
        folder.create()
        folder.stop_request.unlink(missing_ok=True)
        self._before.unlink(missing_ok=True)
        if folder.executed.exists():
            shutil.copy2(folder.executed, self._before)

    @property
    def _before(self) -> Path:
        """Where the executed notebook of the session before is kept until this one has opened."""
        return self.folder.control / "executed.before.ipynb"

    def _put_back(self) -> None:
        """No session opened, so nothing happened to the run: its executed notebook is the one before."""
        if self._before.exists():
            self._before.replace(self.folder.executed)

    def _values(self) -> dict[str, Any]:
        values = dict(self._launch.values)
        offered: dict[str, Any] = {"out": str(self.folder.root), "quick_test": self._launch.quick_test}
        offered.update(self._launch.options)
        for name, value in offered.items():
            if name in self._parameters:
                values[name] = value
            elif value and (name != "out" or self._launch.out):
                raise UsageError(f"The notebook has no parameter {name!r}, so it cannot take that option.")
        return values

    def _tick(self) -> None:
        if self._launch.progress is not None:
            self._launch.progress.tick(self.folder)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        asked = next(self._requests)  # at once: another signal may come before the next line
        request_stop(self.folder, signal.Signals(number).name)
        if asked == 1:
            logger.warning("Stopping at the next safe boundary; the run can be continued.")
        elif asked == 2:
            logger.warning("It has been asked to. A third time ends it at once, at its last checkpoint.")
        else:
            end_holder(self.folder.lock)

    def _conclude(self, outcome: NotebookOutcome, sessions_before: int) -> dict[str, Any]:
        if (
            outcome.error_name == "RunLockedError"
        ):  # a session of another process, which is not ours to wait for
            self._raise_for(outcome)
        with FileLock(self.folder.watching).acquire(wait=True):  # the watchdog may still be finalising
            summary = read_json(self.folder.summary)
        ledger = SessionLedger(self.folder)
        if len(ledger.entries) <= sessions_before:
            self._put_back()
            self._raise_for(outcome)
        if ledger.unfinished or not _ended_well(outcome, summary):
            reason = f"{outcome.error_name}: {outcome.error_value}" if outcome.error_name else outcome.status
            summary = self._written(lambda: finalise_from_disk(self.folder, status=FAILED, reason=reason))
        return self._written(lambda: self._account(summary))

    def _written(self, conclude: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Where the disk refuses the conclusion, say that the run itself is there."""
        try:
            return conclude()
        except StorageError as error:
            raise StorageError(
                f"How the run ended could not be written: {error} Up to its last checkpoint it is in "
                f"{self.folder.root}; once that can be written, the same command continues it."
            ) from error

    def _raise_for(self, outcome: NotebookOutcome) -> None:
        """Raise what the notebook raised before its session opened, as the error of the kit that it was."""
        kind = getattr(kit.errors, outcome.error_name, None)
        if isinstance(kind, type) and issubclass(kind, KitError):
            raise as_raised(kind, outcome.error_value)
        outcome.raise_for_status()
        raise NotebookError(
            f"{self._launch.notebook} ran, but opened no TrainingSession in {self.folder.root}."
        )

    def _account(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Credit the session with the whole command, and archive again with the executed notebook."""
        ledger = SessionLedger(self.folder)
        entry = ledger.entries[-1]
        elapsed = round(self._clock.monotonic() - self._began_s + self._archive_s(), 3)
        outside_s, entry.elapsed_s = elapsed - entry.elapsed_s, elapsed
        ledger.save()
        timing = read_json(self.folder.timing)
        for row in timing.get("phases", []):
            if row["name"] == "finalise":
                row["total_s"] += outside_s
                row["mean_s"] = row["total_s"] / row["count"]
        if timing:
            write_json(self.folder.timing, timing)
        summary["elapsed_s"] = round(ledger.elapsed_s, 3)
        # The page with the final times; its figures are drawn.
        finalise_again(self.folder, summary, partial(write_report, self.folder.root, draw=False))
        self._add_to_history()
        return summary

    def _add_to_history(self) -> None:
        """Let the next forecast know; a finished run does not fail over that."""
        try:
            pair = pair_of_run(self.folder)
        except (*NO_PAIR, KitError) as error:
            logger.warning("The times of this run are not added to the history of forecasts: %s", error)
            return
        if pair is not None:
            add_pair(pair)

    def _archive_s(self) -> float:
        """How long the archive took inside the session, and so will take again: it follows on the report."""
        files = (self.folder.summary, self.folder.report, self.folder.archive)
        if not all(file.exists() for file in files):
            return 0.0
        summary_s, report_s, archive_s = (file.stat().st_mtime for file in files)
        return max(0.0, archive_s - max(summary_s, report_s))


def as_raised(kind: type[KitError], message: str) -> KitError:
    """Return the error of the kit that another process told, with its exit code and nearest name."""
    if issubclass(kind, UsageError):
        nearest = re.search(r"Did you mean '([^']*)'\?", message)
        return UsageError(message, nearest[1] if nearest else None)
    return kind(message)


def _ended_well(outcome: NotebookOutcome, summary: Mapping[str, Any]) -> bool:
    """Whether the summary says how the run ended: a cell that fails after the session closed is a failure too."""
    reason = str(summary.get("reason"))
    if outcome.completed or reason == STOP_HARD or reason.startswith(f"{HANG}:"):
        return bool(summary)
    return summary.get("status") == STOPPED and outcome.error_name == "KeyboardInterrupt"


def parameters_of(notebook: Path) -> dict[str, Parameter]:
    """Return the parameters that a user may set; the session's options have flags of their own."""
    return {name: p for name, p in read_parameters(notebook).items() if name not in OPTION_PARAMETERS}


def refuse_options(settings: Sequence[str]) -> None:
    """Raise UsageError where ``--set`` names an option of the session, which has a flag of its own."""
    for setting in settings:
        name = setting.partition("=")[0].strip()
        if name in OPTION_PARAMETERS:
            flag = {"quick_test": "the command quick-test", "session_limit": "--limit"}.get(
                name, "--" + name.replace("_", "-")
            )
            raise UsageError(f"{name!r} is no setting of the run but an option: use {flag}.", flag)
