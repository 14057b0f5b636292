"""Figures and the report, drawn by a process of their own so that training does not wait for them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from kit.harness.child_environment import with_the_kit

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 120.0


class ReportProcess:
    """A drawing process, started at the first request and fed with requests, one a line.

    matplotlib takes longer to import than to draw, so the process stays; it runs at a low priority, in a session
    of its own, and ends when its input does. ``refresh`` does not wait, ``write_report`` does.
    """

    def __init__(self, run_dir: Path, *, tensorboard: bool = False) -> None:
        self._run_dir = run_dir
        self._tensorboard = tensorboard
        self._process: subprocess.Popen[str] | None = None
        self._unanswered = 0

    def _start(self) -> subprocess.Popen[str]:
        arguments = [
            "--serve",
            "--parent",
            str(os.getpid()),
            *(["--tensorboard"] if self._tensorboard else []),
        ]
        return subprocess.Popen(
            # -P: a file of the working folder named like a standard module must not take that module's place.
            [sys.executable, "-P", "-m", "kit.report", str(self._run_dir), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env=with_the_kit({**os.environ, "OMP_NUM_THREADS": "1"}),
        )

    def _ask(self, request: str) -> bool:
        if self._process is None or self._process.poll() is not None:
            self._process, self._unanswered = self._start(), 0
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            logger.warning("The drawing process has ended; figures are drawn again at the next export.")
            return False
        self._unanswered += 1
        return True

    def refresh(self) -> None:
        """Ask for fresh figures; returns at once."""
        self._ask("figures")

    def draw(self) -> bool:
        """Draw the figures and wait for them; return whether they were drawn."""
        return self._ask("figures") and self.settle()

    def write_report(self) -> bool:
        """Draw everything, write report.html and wait for it; return whether it was written."""
        return self._ask("report") and self.settle()

    def settle(self) -> bool:
        """Wait for all requests so far, and return whether the last one was met (true where none was made)."""
        if self._process is None or not self._unanswered:
            return True
        assert self._process.stdout is not None
        last = ""
        while self._unanswered:
            last = self._process.stdout.readline().strip()
            self._unanswered -= 1
            if not last:  # the process has ended
                self._unanswered = 0
        if not last.endswith(" done"):
            logger.warning("The report could not be drawn: %s.", last or "the drawing process has ended")
        return last.endswith(" done")

    def close(self) -> None:
        """End the process, after what it is drawing."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        try:
            process.stdin.close()
            process.wait(timeout=ANSWER_TIMEOUT_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
