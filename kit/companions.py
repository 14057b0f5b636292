"""What runs beside a session for as long as it is open: log, heartbeat, drawing process, watchdog, exit hooks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kit.harness.heartbeat import Heartbeat
from kit.harness.leaving import LeavingWatch
from kit.harness.outputs import RobustOutputManager
from kit.harness.platform import detect
from kit.harness.progress_line import ProgressLine
from kit.harness.run_log import RunLog
from kit.harness.size import format_size
from kit.harness.watchdog import Watchdog, prune_asked, prune_done
from kit.opening import unattended, watch_limits
from kit.report.process import ReportProcess
from kit.timing.compiling import Compiling

if TYPE_CHECKING:
    from kit.session import TrainingSession

logger = logging.getLogger(__name__)


class Companions:
    """Starts them with the session, in an order in which each finds what it needs, and ends them with it."""

    def __init__(self, session: TrainingSession, leaving: LeavingWatch) -> None:
        folder, deadline, options = session.folder, session.deadline, session.options
        self._session, self._leaving = session, leaving
        # Before the throttle takes hold of stderr: this line is the run's only sign of life in Kaggle's log.
        remote = detect().kind == "kaggle" and unattended()
        self._progress = ProgressLine(sys.stderr) if remote else None
        self.log = RunLog(folder.log, throttled=options.throttle)
        self.log.start()
        self.heartbeat = Heartbeat(folder.heartbeat, session.launched_s)
        self.beat("setup")
        self.figures = ReportProcess(folder.root, tensorboard=options.tensorboard)
        self.watchdog = Watchdog(
            folder,
            deadline.soft_at,
            deadline.hard_at,
            session.entry.session,
            session.launched_s,
            watch_limits(options, folder),
        )
        self.watchdog.start()
        self._compiling = Compiling(session.timer)
        self._compiling.listen()
        leaving.start()

    def beat(self, phase: str) -> None:
        """Say where the run stands, and when it is expected to end."""
        session, outlook = self._session, self._session.outlook
        now = session.clock.monotonic()
        self.heartbeat.beat(session.step, session.total_timesteps, now, phase, outlook.end_s, outlook.factor)
        if self._progress is not None:
            left_s = max(0.0, outlook.end_s - now) if outlook.end_s else None
            self._progress.tell(session.step, session.total_timesteps, phase, now, left_s)

    @contextmanager
    def phase(self, name: str, count: float, shown: str = "") -> Iterator[None]:
        """Attribute the time inside the block to a phase, and say so, or ``shown``, for as long as it lasts."""
        timer = self._session.timer
        self._compiling.listen()
        self.beat(shown or name)
        try:
            with timer.phase(name, count):
                yield
        finally:
            self._session.outlook.look_again()
            self.beat(timer.current)

    def make_room(self, outputs: RobustOutputManager) -> None:
        """Prune what may be pruned, if the watchdog asked for it: old checkpoints, and the last session's archive."""
        folder = self._session.folder
        if not prune_asked(folder):
            return
        freed = outputs.prune()
        if folder.archive.exists():
            freed += folder.archive.stat().st_size
            folder.archive.unlink()
            folder.archive.with_name(f"{folder.archive.name}.sha256").unlink(missing_ok=True)
        logger.warning("Pruned: %s are free again on the disk.", format_size(freed))
        prune_done(folder)

    def let_go(self) -> None:
        """End them all."""
        if self._progress is not None:
            session = self._session
            now_s = session.clock.monotonic()
            self._progress.tell(session.step, session.total_timesteps, "ended", now_s, now=True)
        self._leaving.stop()
        self._compiling.stop()
        self.figures.close()
        self.watchdog.stop()
        self.heartbeat.close()
        self.log.stop()


def leaving_watch(session: TrainingSession) -> LeavingWatch:
    """Return the hooks by which the session learns that its process is being left."""
    ending = session.ending
    return LeavingWatch(ending.on_error, ending.on_exit, ending.on_signal, cells=unattended())
