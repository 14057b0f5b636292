"""The run's log file: what ``logging`` says, after throttling, with counts of what was dropped."""

from __future__ import annotations

import logging
from pathlib import Path

from kit.harness.throttle import LogThrottle
from kit.harness.throttle_gates import StepWindow

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class RunLog:
    """Writes logs/run.log while a session is open, and throttles log records and printed lines by tag."""

    def __init__(self, path: Path, *, throttled: bool = True) -> None:
        self.path = path
        self._throttle = LogThrottle() if throttled else None
        self.steps = self._throttle.steps if self._throttle is not None else StepWindow()
        """At which step ``step`` has to be called next; for hot paths."""
        self._handler: logging.FileHandler | None = None
        self._began_bytes = 0
        self._level = logging.NOTSET

    def start(self) -> None:
        """Open the file (appending: later sessions follow earlier ones) and install the throttle."""
        self._handler = logging.FileHandler(self.path, encoding="utf-8")
        self._handler.setFormatter(logging.Formatter(FORMAT))
        self._began_bytes = self.path.stat().st_size if self.path.exists() else 0
        top = logging.getLogger()
        self._level = top.level
        if top.getEffectiveLevel() > logging.INFO:
            top.setLevel(logging.INFO)
        top.addHandler(self._handler)
        if self._throttle is not None:
            self._throttle.install()
            self._throttle.attach(self._handler)

    def step(self, step: int) -> None:
        """Say which environment step it is, for rules that count steps."""
        if self._throttle is not None:
            self._throttle.step(step)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return what passed and what was dropped, lines and bytes by tag; empty without a throttle."""
        if self._throttle is None:
            return {}
        return {
            tag: {
                "passed": count.passed,
                "dropped": count.dropped,
                "bytes_passed": count.bytes_passed,
                "bytes_dropped": count.bytes_dropped,
            }
            for tag, count in self._throttle.counts().items()
        }

    def written(self) -> tuple[int, int]:
        """Return the lines and bytes that passed in this session: to the file, or printed."""
        counts = self.counts().values()
        return sum(count["passed"] for count in counts), sum(count["bytes_passed"] for count in counts)

    def flush(self) -> None:
        """Write the last suppressed values and the counts."""
        if self._throttle is not None:
            self._throttle.flush()
        if self._handler is not None:
            self._handler.flush()

    def stop(self) -> None:
        """Take everything back and close the file."""
        if self._throttle is not None:
            self._throttle.uninstall()
        if self._handler is not None:
            top = logging.getLogger()
            top.removeHandler(self._handler)
            top.setLevel(self._level)
            self._handler.close()
            self._handler = None
