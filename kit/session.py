"""TrainingSession: the one object that a notebook talks to."""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from kit.errors import KitError, UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.deadline import Deadline, format_duration
from kit.harness.heartbeat import Heartbeat
from kit.harness.leaving import LeavingWatch
from kit.harness.lock import FileLock
from kit.harness.outputs import RobustOutputManager
from kit.harness.platform import detect, session_began
from kit.harness.provenance import versions
from kit.harness.run_folder import RunFolder, move_aside
from kit.harness.run_log import RunLog
from kit.harness.scaling import TimestepScaler
from kit.harness.summary import COMPLETE, FAILED, STOPPED, SessionLedger, read_json, write_json
from kit.harness.watchdog import Watchdog
from kit.options import SessionOptions
from kit.own_loop import OwnLoop, Stateful
from kit.pace import Pace
from kit.report.process import ReportProcess
from kit.run_record import RunRecord
from kit.timing.measurement import measured_of
from kit.timing.phases import PhaseTimer
from kit.timing.plan import RunPlanner

logger = logging.getLogger(__name__)

LAUNCHED_VARIABLE = "KIT_LAUNCHED"
"""Absolute monotonic seconds at which the command was launched, handed to the kernel by the command line."""
QUICK_SHARE = 20

Capture = Callable[[], Any]


class TrainingSession:
    """One session on one run: opens or resumes it, keeps it safe, ends it in time, finalises it.

    Make it with ``open``. Steps are environment steps, summed over parallel environments. A session counts as
    ``trained`` once its total was reached; a ``stopping`` one is continued by the next session on the same folder.
    """

    def __init__(
        self,
        notebook: str,
        total_timesteps: int,
        config: Mapping[str, Any],
        options: SessionOptions,
        *,
        quick_test: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if isinstance(total_timesteps, bool) or total_timesteps < 1:
            raise UsageError(f"total_timesteps must be at least 1, not {total_timesteps!r}.")
        self.options, self.quick_test, self.clock = options, quick_test, clock
        self.requested_timesteps = total_timesteps
        self.seed = int(config.get("seed", 0))
        self.deadline = _deadline(options, clock)
        self.folder = _folder(notebook, options, quick_test=quick_test)
        self.record_of_run = RunRecord(self.folder, notebook, total_timesteps, config, quick_test=quick_test)
        self.timer = PhaseTimer(clock, "setup", began=self.deadline.began_monotonic)
        self.timer.add_count("setup", 1)
        self.planner = RunPlanner()
        self.step = 0
        self.trained = self.stopping = self.closed = False
        self.reason = ""
        self.inexact_reason: str | None = None
        self._quick_total = max(20, total_timesteps // QUICK_SHARE)
        self._outputs: RobustOutputManager | None = None
        self._own_loop = OwnLoop(self)

    # Opening

    @classmethod
    def open(
        cls,
        notebook: str,
        *,
        total_timesteps: int,
        config: Mapping[str, Any],
        quick_test: bool = False,
        **options: Any,
    ) -> TrainingSession:
        """Open the run folder of ``notebook``: fresh, or to be resumed if a run of the same settings is there.

        ``config`` is everything that decides the results; ``options`` are those of SessionOptions. A quick test
        trains only as long as it needs to measure every phase, and always starts fresh.

        Raises:
            ConfigMismatchError: the folder holds a run with other settings; nothing is changed.
            RunLockedError: another process has the run open.
            StorageError: the folder cannot be written.
        """
        session = cls(notebook, total_timesteps, config, SessionOptions.of(**options), quick_test=quick_test)
        session._lock = FileLock(session.folder.lock)
        session._prepare_folder()
        try:
            session._begin()
        except BaseException:
            session._lock.release()
            raise
        return session

    def _prepare_folder(self) -> None:
        launched = LAUNCHED_VARIABLE in os.environ  # then the command line has prepared the folder
        there = {} if launched else self.record_of_run.on_disk()
        if there and (self.options.fresh or self.quick_test):
            with FileLock(self.folder.lock).acquire():
                moved = move_aside(self.folder)
            logger.info("The run that was in %s is now in %s.", self.folder.root, moved)
        self.folder.create()
        self._lock.acquire()
        with FileLock(self.folder.watching):  # the watchdog of the session before may still be finalising
            if not launched:
                self.folder.stop_request.unlink(missing_ok=True)

    def _begin(self) -> None:
        folder, deadline, options = self.folder, self.deadline, self.options
        self.record_of_run.refuse_others()
        self.scaler = TimestepScaler(
            self.record_of_run.total_timesteps(),
            deadline.limits.soft_s,
            on_pressure=options.on_pressure,
            tiers=options.tiers,
        )
        self.pace = Pace(folder, deadline, every_boundary=options.cadence.checkpoint_every_steps is not None)
        self.ledger = SessionLedger(folder)
        stamp = datetime.datetime.fromtimestamp(self.clock.wall(), datetime.UTC).isoformat(timespec="seconds")
        self.entry = self.ledger.begin(stamp, 0)
        self.log = RunLog(folder.log, throttled=options.throttle)
        self.log.start()
        self.heartbeat = Heartbeat(folder.heartbeat, deadline.began_monotonic)
        self._beat("setup")
        self._figures = ReportProcess(folder.root, tensorboard=options.tensorboard)
        self.watchdog = Watchdog(
            folder, deadline.soft_at, deadline.hard_at, self.entry.session, deadline.began_monotonic
        )
        self.watchdog.start()
        self._leaving = LeavingWatch(self._on_error, self._on_exit, self._on_signal)
        self._leaving.start()

    @property
    def total_timesteps(self) -> int:
        """Environment steps this session trains up to: the planned total, few of them in a quick test."""
        total = self.scaler.total_timesteps
        return min(self._quick_total, total) if self.quick_test else total

    @property
    def metrics_every(self) -> int:
        """Environment steps between two rows of metrics.csv."""
        return self.options.metrics_every

    @property
    def exact(self) -> bool:
        """Whether a resumed run continues bit for bit."""
        return self.inexact_reason is None

    @property
    def outputs(self) -> RobustOutputManager:
        """The run folder's writer; made at the first use, when the settings are complete."""
        if self._outputs is None:
            self._outputs = RobustOutputManager(
                self.folder,
                self.record_of_run.config_hash,
                cadence=self.options.cadence,
                clock=self.clock,
                draw=self._figures.refresh,
            )
            self._write_record()
        return self._outputs

    def _write_record(self) -> None:
        self.record_of_run.write(self.scaler, self.deadline.limits, self.options.threads)

    def declare(self, **settings: Any) -> None:
        """Add settings that decide the results (algorithm, hyperparameters) before anything is restored.

        Raises:
            ConfigMismatchError: the run in the folder was made with others; nothing is changed.
        """
        if self._outputs is not None:
            raise UsageError("declare() must come before the first restore() or record().")
        self.record_of_run.declare(settings)

    def quick_steps(self, steps: int) -> None:
        """Say how few environment steps measure every phase."""
        self._quick_total = max(1, steps)

    def inexact(self, reason: str | None) -> None:
        """Say why a resumed run does not continue bit for bit (None: it does); the summary repeats it."""
        self.inexact_reason = reason
        if reason is not None:
            logger.warning("Resuming this run is not exact: %s.", reason)

    # Training

    def restore(self) -> Any | None:
        """Return the tree of the newest checkpoint that verifies, or None; rows after its step are dropped."""
        from kit.tensors import decode

        def skipped(folder: Path, why: str) -> None:
            logger.warning("Checkpoint %s is skipped: %s", folder.name, why)

        with self.phase("checkpoint", count=0):
            newest = self.outputs.checkpoints.newest(skipped)
            saved = decode(self.outputs.checkpoints.load(newest)) if newest is not None else None
        self.step = newest.step if newest is not None else 0
        self.entry.first_step = self.entry.last_step = self.step
        self.outputs.open_rows(self.step)
        if newest is None or saved is None:
            logger.info("A fresh run of %s steps.", f"{self.total_timesteps:,}")
            return None
        self._note_runtime(newest.extra.get("runtime", {}))
        logger.info("Resumed at step %s of %s.", f"{self.step:,}", f"{self.total_timesteps:,}")
        self.trained = bool(saved["trained"])
        return saved["tree"]

    def _runtime(self) -> dict[str, Any]:
        return {"threads": self.options.threads, "versions": versions()}

    def _note_runtime(self, there: Mapping[str, Any]) -> None:
        """Thread count and versions change results in the last bits: say so when they are not those of before."""
        here = self._runtime()
        changed = [name for name in here if there.get(name) != here[name]]
        if changed and self.exact:
            self.inexact(f"{' and '.join(changed)} differ from those that wrote the checkpoint")

    def boundary(self, step: int, capture: Capture) -> bool:
        """Call it where ``capture`` gives a state that can be continued from; False means: stop here.

        Cheap when nothing is due: deadlines, stop requests, checkpoint and export are looked at every quarter of
        a second (at every boundary where checkpoints go by steps).
        """
        self.step = step
        return not self.pace.look_due() or self._look(step, capture)

    def _look(self, step: int, capture: Capture) -> bool:
        outputs = self.outputs
        outputs.poll()
        self.log.step(step)
        self._scale(step)
        self._beat(self.timer.current)
        wish = self.pace.stop_wish()
        if wish is not None:
            self._stop(step, wish, capture)
            return False
        if outputs.checkpoint_due(step):
            self.checkpoint(step, capture)
        if outputs.export_due(step):
            self.export(step)
        return True

    def _scale(self, step: int) -> None:
        change = self.scaler.observe(step, self.deadline.elapsed_s())
        if change is None:
            return
        logger.warning(
            "Under time pressure: at this pace the run would end after %s, past the soft limit of %s; "
            "the total is reduced from %s to %s steps.",
            format_duration(change.predicted_s),
            format_duration(change.limit_s),
            f"{change.before:,}",
            f"{change.after:,}",
        )
        self._write_record()

    def _beat(self, phase: str) -> None:
        elapsed = self.deadline.elapsed_s()
        end = self.scaler.predicted_end_s(self.step, elapsed)
        began = self.deadline.began_monotonic
        self.heartbeat.beat(
            self.step, self.total_timesteps, began + elapsed, phase, began + end if end else 0.0
        )

    def _stop(self, step: int, reason: str, capture: Capture) -> None:
        logger.info("Stopping at step %s: %s. The next session continues from here.", f"{step:,}", reason)
        self.stopping, self.reason = True, reason
        self.checkpoint(step, capture)
        self.export(step)

    def checkpoint(self, step: int, capture: Capture, *, trained: bool = False) -> None:
        """Snapshot now, persist in the background (layer 1)."""
        from kit.tensors import encode, snapshot

        with self.phase("checkpoint"):
            tree = snapshot({"tree": capture(), "trained": trained})
            extra = {"runtime": self._runtime()}
            self.outputs.save_checkpoint(step, lambda: encode(tree), exact=self.exact, extra=extra)

    def export(self, step: int) -> None:
        """Refresh what a person can already use (layer 2)."""
        with self.phase("export"):
            self._note_progress(step)
            write_json(self.folder.timing, {"phases": self.timer.rows()})
            self.outputs.save_intermediate_results(step)

    def _note_progress(self, step: int) -> None:
        self.entry.last_step, self.entry.elapsed_s = step, round(self.deadline.elapsed_s(), 3)
        self.ledger.save()

    def training_done(self, step: int, capture: Capture) -> None:
        """The total was reached: take the last checkpoint; what follows (evaluation) can be done again from it."""
        self.step, self.trained = step, True
        self.checkpoint(step, capture, trained=True)
        self.export(step)

    def record_row(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Append one row to metrics.csv; values must not depend on time."""
        self.outputs.record(step, metrics)
        self.outputs.record_time(step, self.deadline.elapsed_s(), self.entry.session)

    def phase(self, name: str, count: float = 1.0) -> AbstractContextManager[None]:
        """Attribute the time inside the block to a phase, with ``count`` units done."""
        self._beat(name)
        return self.timer.phase(name, count)

    # A loop of one's own

    def register(self, **objects: Stateful) -> None:
        """Name what a checkpoint of ``steps()`` holds: anything with state_dict and load_state_dict."""
        self._own_loop.register(objects)

    def steps(self) -> Iterator[int]:
        """Yield the number of each step still to do, from the right one on; end at the deadline or the total.

        What ``record`` was given during a step becomes its row of metrics.csv. Registered objects and the global
        random number generators come back as they were.
        """
        return self._own_loop.steps()

    def record(self, **metrics: Any) -> None:
        """Note metrics of the step that ``steps()`` is at."""
        self._own_loop.record(metrics)

    # Leaving

    def draw(self) -> list[Path]:
        """Draw the figures of what is on disk by now, wait for them, and return their paths."""
        with self.phase("export"):
            self._figures.draw()
        return sorted(self.folder.figures.glob("*.png"))

    def save_results(self, results: Mapping[str, Any]) -> None:
        """Keep what the workload found out (results.json); the report shows it."""
        write_json(self.folder.results, results)

    def _on_signal(self, name: str) -> None:
        self.pace.wish = name

    def _on_error(self, reason: str) -> None:
        if not self.closed:
            self.close(status=STOPPED if reason.startswith("KeyboardInterrupt") else FAILED, reason=reason)

    def _on_exit(self) -> None:
        if not self.closed:
            self.close(
                status=STOPPED if self.stopping else FAILED, reason=self.reason or "left without close()"
            )

    def close(self, *, status: str | None = None, reason: str | None = None) -> dict[str, Any]:
        """Finalise (layer 3) and return the summary: complete if the total was reached, else stopped."""
        if self.closed:
            return read_json(self.folder.summary)
        self.closed = True
        status = status or (COMPLETE if self.trained else STOPPED)
        reason = (
            reason or self.reason or ("reached its total" if status == COMPLETE else "left before its total")
        )
        self._leaving.stop()
        self._beat("finalise")
        self.timer.switch("finalise")
        try:
            return self._finalise(status, reason)
        finally:
            self._figures.close()
            self.watchdog.stop()
            self.heartbeat.close()
            self.log.stop()
            self._lock.release()

    def _finalise(self, status: str, reason: str) -> dict[str, Any]:
        outputs = self.outputs
        outputs.settle()
        self.entry.end = reason
        self._note_progress(self.step)
        self.timer.add_count("finalise", 1)
        timing: dict[str, Any] = {"phases": self.timer.rows()}
        if self.quick_test:
            timing["measured"] = measured_of(self.folder, outputs, self.log, self.planner.plan, self.step)
        write_json(self.folder.timing, timing)
        self.log.flush()
        outputs.finalise(status=status, reason=reason, more=self._facts(), report=self._figures.write_report)
        return read_json(self.folder.summary)

    def _facts(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "total_timesteps": self.total_timesteps,
            "requested_timesteps": self.requested_timesteps,
            "exact": self.exact,
            "inexact_reason": self.inexact_reason,
            "quick_test": self.quick_test,
            "log": self.log.counts(),
            "scalings": self.record_of_run.on_disk().get("scalings", []),
        }

    def __enter__(self) -> TrainingSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        try:
            self._on_error(f"{kind.__name__}: {value}")
        except KitError:
            logger.exception("Finalising failed; layers 1 and 2 are on disk.")


def _deadline(options: SessionOptions, clock: Clock) -> Deadline:
    platform = detect()
    launched = os.environ.get(LAUNCHED_VARIABLE)
    began = session_began(platform, float(launched) if launched else None, options.limits_given, clock)
    return Deadline(options.limits(platform.session_limit_s), began, clock)


def _folder(notebook: str, options: SessionOptions, *, quick_test: bool) -> RunFolder:
    if str(options.out):
        return RunFolder(Path(options.out).absolute())
    name = notebook + ("-quick" if quick_test else "")
    return RunFolder(detect().output_root.absolute() / "runs" / name)
