"""TrainingSession: the one object that a notebook talks to."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from kit.companions import Companions, leaving_watch
from kit.ending import Ending
from kit.errors import ConfigMismatchError, IntegrityError, UntrustedError, UsageError
from kit.harness.checkpoints import CheckpointStore
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.lock import FileLock
from kit.harness.manifest import FileRecord
from kit.harness.outputs import RobustOutputManager
from kit.harness.scaling import TimestepScaler
from kit.harness.summary import SessionLedger, write_json
from kit.keeper import Capture, Keeper
from kit.opening import deadline_of, declare, folder_of, launched_s, prepare_folder, take_over_inputs
from kit.options import SessionOptions
from kit.outlook import Outlook
from kit.own_loop import OwnLoop, Stateful
from kit.pace import Pace
from kit.pressure import Pressure
from kit.run_record import RunRecord
from kit.timing.phases import PhaseTimer
from kit.timing.plan import RunPlanner
from kit.trust import refuse_untrusted

logger = logging.getLogger(__name__)

QUICK_SHARE = 20


class TrainingSession:
    """One session on one run: opens or resumes it, keeps it safe, ends it in time, finalises it.

    Make it with ``open``. Steps are environment steps, summed over parallel environments; it trains up to
    ``total_timesteps``, which is the planned total, or few of them in a quick test. A session counts as
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
        self.requested_timesteps = self.total_timesteps = total_timesteps
        self.seed = int(config.get("seed", 0))
        if self.seed < 0:
            raise UsageError(f"seed must be zero or more, not {self.seed}.")
        self.deadline = deadline_of(options, clock)
        self.folder = folder_of(notebook, options.out, quick_test=quick_test)
        self.record_of_run = RunRecord(self.folder, notebook, total_timesteps, config, quick_test=quick_test)
        self.launched_s = launched_s(clock)
        self.timer = PhaseTimer(clock, "setup", began=self.launched_s)
        self.timer.add_count("setup", 1)
        self.planner = RunPlanner()
        self.outlook = Outlook(self)
        self.step = 0
        self.stopping = self.closed = self.taken_over = False
        self.reason = ""
        self.inexact_reason: str | None = None
        self.counts_on: Callable[[], Sequence[FileRecord]] = tuple
        """Returns the files in the run folder, of the workload's, that what was just captured cannot do without."""
        self._quick_total = max(20, total_timesteps // QUICK_SHARE)
        self._lock = FileLock(self.folder.lock)
        self._outputs: RobustOutputManager | None = None
        self._keeper: Keeper | None = None
        self._own_loop = OwnLoop(self)
        self.ending = Ending(self)

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

        Where none is, one in the attached inputs is taken over first.

        ``config`` is everything that decides the results; ``options`` are those of SessionOptions. A quick test
        trains only as long as it needs to measure every phase, and always starts fresh.

        Raises:
            ConfigMismatchError: the folder holds a run with other settings; nothing is changed.
            RunLockedError: another process has the run open.
            StorageError: the folder cannot be written.
        """
        session = cls(notebook, total_timesteps, config, SessionOptions.of(**options), quick_test=quick_test)
        session._lock = prepare_folder(session.folder, anew=quick_test or session.options.fresh)
        try:
            taken = take_over_inputs(session.options, session.folder, session.record_of_run.asked)
            session._begin()
            session.taken_over = taken is not None
            if taken is not None:  # said once there is a log of the run
                logger.info("The run is taken over from %s, at step %s.", taken.path, f"{taken.step:,}")
        except BaseException:
            session._lock.release()
            raise
        return session

    def _begin(self) -> None:
        folder, deadline, options = self.folder, self.deadline, self.options
        self.record_of_run.refuse_others()
        self.scaler = TimestepScaler(
            self.record_of_run.total_timesteps(),
            deadline.limits.soft_s,
            on_pressure=options.on_pressure,
            tiers=options.tiers,
        )
        self._plan_total()
        self._pressure = Pressure(self.scaler, deadline)
        self.pace = Pace(folder, deadline, every_boundary=options.cadence.checkpoint_every_steps is not None)
        self.ledger = SessionLedger(folder)
        stamp = datetime.datetime.fromtimestamp(self.clock.wall(), datetime.UTC).isoformat(timespec="seconds")
        self.entry = self.ledger.begin(stamp, 0)
        self.companions = Companions(self, leaving_watch(self))
        self.log, self.figures = self.companions.log, self.companions.figures
        self.watchdog = self.companions.watchdog
        self._reached = self.companions.heartbeat.reached

    def _plan_total(self) -> None:
        total = self.scaler.total_timesteps
        self.total_timesteps = min(self._quick_total, total) if self.quick_test else total

    @property
    def metrics_every(self) -> int:
        """Environment steps between two rows of metrics.csv."""
        return self.options.metrics_every

    def elapsed_s(self) -> float:
        """Wall time since the launch of the command (of the script, of ``open`` in a notebook without one)."""
        return self.clock.monotonic() - self.launched_s

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
                draw=self.figures.refresh,
                on_persist=self.companions.heartbeat.writing,
            )
            self._write_record()
            self.ledger.save()  # from here on a death leaves a session that never ended
        return self._outputs

    @property
    def begun(self) -> bool:
        """Whether anything of this session is on disk yet."""
        return self._outputs is not None

    @property
    def keeper(self) -> Keeper:
        """What restores, checkpoints and exports."""
        outputs = self.outputs
        if self._keeper is None:
            self._keeper = Keeper(self, outputs)
        return self._keeper

    @property
    def trained(self) -> bool:
        """Whether the total was reached, in this session or one before."""
        return self._keeper is not None and self._keeper.trained

    def _write_record(self) -> None:
        self._plan_total()
        facts = self.record_of_run.write(self.scaler, self.deadline.limits, self.options.threads)
        self._pressure.expect_after_training(facts["forecast"])

    def declare(self, **settings: Any) -> None:
        """Add settings that decide the results (algorithm, hyperparameters) before anything is restored.

        Raises:
            ConfigMismatchError: the run in the folder was made with others; nothing is changed.
        """
        if self.begun:
            raise UsageError("declare() must come before the first restore() or record().")
        self._refuse(lambda: declare(self, settings, begin_again=self._begin))

    def _refuse(self, check: Callable[[], None]) -> None:
        """Where a check refuses the run that is there, nothing of this session may reach its folder."""
        try:
            check()
        except (ConfigMismatchError, UntrustedError, IntegrityError):
            self.closed = True
            self.let_go()
            raise

    def quick_steps(self, steps: int) -> None:
        """Say how few environment steps measure every phase."""
        self._quick_total = max(1, steps)
        self._plan_total()

    def inexact(self, reason: str | None) -> None:
        """Say why a resumed run does not continue bit for bit (None: it does); the summary repeats it."""
        self.inexact_reason = reason
        if reason is not None:
            logger.warning("Resuming this run is not exact: %s.", reason)

    # Training

    def restore(self) -> Any | None:
        """Return the tree of the newest trusted checkpoint that verifies, or None; rows after its step are dropped.

        Raises:
            UntrustedError: it holds pickled state that this machine did not write.
            IntegrityError: there are checkpoints, and none can be read; nothing is changed.
        """
        if self.closed:
            raise UsageError("The session is closed: open another one, which continues the run.")
        self._refuse(lambda: refuse_untrusted(self))
        self._refuse(CheckpointStore(self.folder.checkpoints, self.record_of_run.config_hash).refuse_broken)
        tree = self.keeper.restore()
        if self.trained:  # no boundary comes any more
            self._say_where(self.step)
        return tree

    def boundary(self, step: int, capture: Capture) -> bool:
        """Call it where ``capture`` gives a state that can be continued from; False means: stop here.

        Cheap when nothing is due: deadlines, stop requests, checkpoint and export are looked at every quarter of
        a second (at every boundary where checkpoints go by steps).
        """
        self.step = step
        self._reached(step)
        return not self.pace.look_due() or self._look(step, capture)

    def _look(self, step: int, capture: Capture) -> bool:
        outputs = self.outputs
        outputs.poll()
        self.log.step(step)
        self.outlook.observe(step)
        if self._pressure.observe(step, self.pace.longest_gap_s):
            self._write_record()
        self.companions.heartbeat.under_way()
        self.companions.beat(self.timer.current)
        self.companions.make_room(outputs)
        wish = self.pace.stop_wish()
        if wish is not None:
            self._stop(step, wish, capture)
            return False
        if outputs.checkpoint_due(step):
            self.keeper.checkpoint(step, capture)
        if outputs.export_due(step):
            self.keeper.export(step)
        return True

    def _say_where(self, step: int) -> None:
        self._reached(step)
        self.companions.heartbeat.under_way()

    def _stop(self, step: int, reason: str, capture: Capture) -> None:
        logger.info("Stopping at step %s: %s. The next session continues from here.", f"{step:,}", reason)
        self.stopping, self.reason = True, reason
        self.ending.keep(step, capture)

    def training_done(self, step: int, capture: Capture) -> None:
        """The total was reached: take the last checkpoint; what follows (evaluation) can be done again from it."""
        self.step, self.keeper.trained = step, True
        self._say_where(step)
        self.ending.keep(step, capture)

    def record_row(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Append one row to metrics.csv; values must not depend on time."""
        self.outputs.record(step, metrics)
        self.outputs.record_time(step, self.elapsed_s(), self.entry.session)

    def phase(self, name: str, count: float = 1.0) -> AbstractContextManager[None]:
        """Attribute the time inside the block to a phase, with ``count`` units done."""
        return self.companions.phase(name, count)

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
        if self.closed:
            raise UsageError("The session is closed: draw() must come before close().")
        with self.companions.phase("finalise", 0, shown="export"):  # once a run, other than exports
            self.figures.draw()
        return sorted(self.folder.figures.glob("*.png"))

    def save_results(self, results: Mapping[str, Any]) -> None:
        """Keep what the workload found out (results.json); the report shows it."""
        write_json(self.folder.results, results)

    def close(self, *, status: str | None = None, reason: str | None = None) -> dict[str, Any]:
        """Finalise (layer 3) and return the summary: complete if the total was reached, else stopped."""
        return self.ending.close(status, reason)

    def let_go(self) -> None:
        """End what runs beside the session, and let others have the run."""
        self.companions.let_go()
        self._lock.release()

    def __enter__(self) -> TrainingSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.leave(value)
