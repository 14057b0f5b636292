"""What runs beside a session for as long as it is open: log, heartbeat, drawing process, watchdog, exit hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.harness.heartbeat import Heartbeat
from kit.harness.leaving import LeavingWatch
from kit.harness.run_log import RunLog
from kit.harness.watchdog import Watchdog
from kit.opening import unattended
from kit.report.process import ReportProcess

if TYPE_CHECKING:
    from kit.session import TrainingSession


class Companions:
    """Starts them with the session, in an order in which each finds what it needs, and ends them with it."""

    def __init__(self, session: TrainingSession, leaving: LeavingWatch) -> None:
        folder, deadline, options = session.folder, session.deadline, session.options
        self._session, self._leaving = session, leaving
        self.log = RunLog(folder.log, throttled=options.throttle)
        self.log.start()
        self.heartbeat = Heartbeat(folder.heartbeat, session.launched_s)
        self.beat("setup")
        self.figures = ReportProcess(folder.root, tensorboard=options.tensorboard)
        number = session.entry.session
        self.watchdog = Watchdog(folder, deadline.soft_at, deadline.hard_at, number, session.launched_s)
        self.watchdog.start()
        leaving.start()

    def beat(self, phase: str) -> None:
        """Say where the run stands, and when it is expected to end."""
        session, deadline = self._session, self._session.deadline
        elapsed, began = deadline.elapsed_s(), deadline.began_monotonic
        end = session.scaler.predicted_end_s(session.step, elapsed)
        end_s = began + end if end else 0.0
        self.heartbeat.beat(session.step, session.total_timesteps, began + elapsed, phase, end_s)

    def let_go(self) -> None:
        """End them all."""
        self._leaving.stop()
        self.figures.close()
        self.watchdog.stop()
        self.heartbeat.close()
        self.log.stop()


def leaving_watch(session: TrainingSession) -> LeavingWatch:
    """Return the hooks by which the session learns that its process is being left."""
    return LeavingWatch(session.on_error, session.on_exit, session.on_signal, cells=unattended())
