"""Watches a rehearsed session from outside as it starts: when its log begins, and when its first step is done."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

from kit.harness.heartbeat import read_beat

LOOK_EVERY_S = 0.005


class StartWatch:
    """Looks at a log and a heartbeat in a thread, from ``with`` to its end; times are absolute monotonic seconds.

    The heartbeat lies in memory that the session shares; the step in it is set at every boundary, so it is no longer
    zero once the first steps, one in each environment, were taken.
    """

    def __init__(self, log: Path, heartbeat: Path) -> None:
        self._log, self._heartbeat = log, heartbeat
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.first_line_s: float | None = None
        self.first_step_s: float | None = None

    def _look(self) -> None:
        while not self._gone.wait(LOOK_EVERY_S) and self.first_step_s is None:
            if self.first_line_s is None and self._has_a_record():
                self.first_line_s = time.monotonic()
            beat = read_beat(self._heartbeat)
            if beat is not None and beat.step > 0:
                self.first_step_s = time.monotonic()

    def _has_a_record(self) -> bool:
        return self._log.exists() and self._log.stat().st_size > 0

    def __enter__(self) -> StartWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gone.set()
        self._thread.join()
