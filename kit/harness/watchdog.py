"""The watchdog: sees to it that a run ends in time, from a process of its own.

A thread would wait for the interpreter lock, and a native call that hangs never gives it back; so the watching
is done by ``kit.harness.watchdog_process``. This is the training process's side: it starts that process, tells
it when the run has ended well, and lets it end this process at the hard deadline.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kit.harness.run_folder import RunFolder

logger = logging.getLogger(__name__)

EXIT_HARD_DEADLINE = 6
STOP_SOFT = "soft_deadline"
STOP_HARD = "hard_deadline"
READY = "ready"


@dataclass(frozen=True)
class WatchdogOrders:
    """What the watchdog process is told, once. Deadlines are absolute monotonic seconds."""

    run_dir: str
    pid: int
    soft_at_s: float
    hard_at_s: float
    session: int
    began_s: float

    def to_json(self) -> str:
        """Return the orders as one line."""
        return json.dumps(self.__dict__)

    @classmethod
    def from_json(cls, line: str) -> WatchdogOrders:
        """Read what ``to_json`` wrote."""
        return cls(**json.loads(line))


class Watchdog:
    """Starts and stops the watching process for one session."""

    def __init__(
        self, folder: RunFolder, soft_at_s: float, hard_at_s: float, session: int, began_s: float
    ) -> None:
        self._orders = WatchdogOrders(str(folder.root), os.getpid(), soft_at_s, hard_at_s, session, began_s)
        self._process: subprocess.Popen[str] | None = None
        self._watching = self._told = threading.Event()

    @property
    def pid(self) -> int | None:
        """The watching process, or None before ``start`` and after ``stop``."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start watching. The process is in a session of its own: no signal for this one's group reaches it.

        Returns before the process watches (``wait_until_watching`` waits); should it end untold, a warning says so.
        """
        root = str(Path(__file__).resolve().parents[2])
        given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        path = os.pathsep.join(filter(None, [root, *given]))
        self._watching, self._told = threading.Event(), threading.Event()
        self._process = subprocess.Popen(
            # -P: a file of the working folder named like a standard module must not take that module's place.
            [sys.executable, "-P", "-m", "kit.harness.watchdog_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._say(self._orders.to_json())
        said, watching, told = self._process.stdout, self._watching, self._told
        assert said is not None
        threading.Thread(target=_obey, args=(said, watching, told), name="kit-watchdog", daemon=True).start()

    def wait_until_watching(self, timeout_s: float) -> bool:
        """Wait until the process has said that it watches; return whether it has."""
        return self._watching.wait(timeout_s)

    def _say(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            logger.debug("The watchdog process has ended: it hears nothing any more.")

    def stop(self) -> None:
        """The run has been finalised: stop watching."""
        process = self._process
        if process is None:
            return
        self._told.set()
        self._say("done")
        if process.stdin:
            try:
                process.stdin.close()
            except BrokenPipeError:
                logger.debug("The watchdog process had ended before it was told to.")
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None


def _obey(said: IO[str], watching: threading.Event, told: threading.Event) -> None:
    """Leave with exit code 6 when told to; where this thread cannot run, the watchdog kills instead."""
    with said:
        for line in said:
            if line.strip() == READY:
                watching.set()
            elif line.strip() == STOP_HARD:
                os._exit(EXIT_HARD_DEADLINE)
    if not told.is_set():
        when = "while it watched" if watching.is_set() else "before it began to watch"
        logger.warning(
            "The watchdog process has ended %s; the deadlines are still checked at safe boundaries, "
            "but a hang is not ended.",
            when,
        )


def stop_reason(folder: RunFolder) -> str | None:
    """Return why a stop was asked for, or None."""
    try:
        return folder.stop_request.read_text().strip() or "requested"
    except OSError:
        return None


def request_stop(folder: RunFolder, reason: str) -> None:
    """Ask the session on this folder to stop at its next safe boundary; the first reason given stays."""
    folder.control.mkdir(parents=True, exist_ok=True)
    try:
        with folder.stop_request.open("x") as file:
            file.write(reason)
    except FileExistsError:
        return
