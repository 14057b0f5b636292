"""The watchdog: sees to it that a run ends in time, from a process of its own.

A thread would wait for the interpreter lock, and a native call that hangs never gives it back; so the watching
is done by ``kit.harness.watchdog_process``. This is the training process's side: it starts that process, and
another when that one dies, tells it when the run has ended well, logs what it says, and lets it end this process.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import replace

from kit.harness.child_environment import with_the_kit
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.orders import WatchdogOrders, WatchLimits
from kit.harness.run_folder import RunFolder
from kit.harness.stacks import StackWriter

logger = logging.getLogger(__name__)

EXIT_HARD_DEADLINE = 6
EXIT_HANG = 1
STOP_SOFT = "soft_deadline"
STOP_HARD = "hard_deadline"
HANG = "hang"
"""How the reason of a run begins that was ended because it hung."""
READY = "ready"
SAYS = {"warning: ": logging.WARNING, "info: ": logging.INFO, "debug: ": logging.DEBUG}
"""How a line of the watchdog begins that is for the log."""
RESTARTS = 5
RESTARTS_WITHIN_S = 3600.0


class Watchdog:
    """Starts and stops the watching process for one session, and replaces one that dies, five times an hour."""

    def __init__(
        self,
        folder: RunFolder,
        soft_at_s: float,
        hard_at_s: float,
        session: int,
        began_s: float,
        limits: WatchLimits | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._orders = WatchdogOrders(
            str(folder.root), os.getpid(), soft_at_s, hard_at_s, session, began_s, limits or WatchLimits()
        )
        self._clock = clock
        self._stacks = StackWriter(folder.raw_stacks)
        self._process: subprocess.Popen[str] | None = None
        self._watching = threading.Event()
        self._changing = threading.Lock()
        self._restarted_s: deque[float] = deque(maxlen=RESTARTS)

    @property
    def pid(self) -> int | None:
        """The watching process, or None before ``start`` and after ``stop``."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start watching. The process is in a session of its own: no signal for this one's group reaches it.

        Returns before the process watches (``wait_until_watching`` waits); should it end untold, a warning says so
        and another is started with the same orders.
        """
        with self._changing:
            self._stacks.start()
            self._orders = replace(self._orders, stacks_signal=self._stacks.signal)
            self._launch()

    def _launch(self) -> None:
        self._watching = threading.Event()
        self._process = subprocess.Popen(
            # -P: a file of the working folder named like a standard module must not take that module's place.
            [sys.executable, "-P", "-m", "kit.harness.watchdog_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env=with_the_kit(os.environ),
        )
        self._say(self._orders.to_json())
        arguments = (self._process, self._watching)
        threading.Thread(target=self._obey, args=arguments, name="kit-watchdog", daemon=True).start()

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
        """The run has been finalised: stop watching. No watching process is left, and none is started any more."""
        with self._changing:
            process = self._process
            if process is None:
                return
            self._say("done")
            _hang_up(process)
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._process = None
            self._stacks.stop()

    def _obey(self, process: subprocess.Popen[str], watching: threading.Event) -> None:
        """Do what the watching process says; where this thread cannot run, that one kills instead."""
        assert process.stdout is not None
        with process.stdout as said:
            for line in said:
                order = line.strip()
                if order == READY:
                    watching.set()
                elif order == STOP_HARD:
                    os._exit(EXIT_HARD_DEADLINE)
                elif order == HANG:
                    os._exit(EXIT_HANG)
                else:
                    _log(order)
        with self._changing:
            if self._process is process:  # else it was told to end, and another may watch by now
                self._replace(process, watching.is_set())

    def _replace(self, process: subprocess.Popen[str], watched: bool) -> None:
        """The watching process has ended untold: start another, unless they keep dying."""
        when = "while it watched" if watched else "before it began to watch"
        process.wait()
        _hang_up(process)
        now = self._clock.monotonic()
        if len(self._restarted_s) == RESTARTS and now - self._restarted_s[0] < RESTARTS_WITHIN_S:
            logger.error(
                "The watchdog process has ended %s, %d times within an hour: it is not started again. The deadlines "
                "are still checked at safe boundaries, but a hang is not ended, and memory and disk are not watched.",
                when,
                RESTARTS + 1,
            )
            return
        self._restarted_s.append(now)
        logger.warning("The watchdog process has ended %s; another one takes its place.", when)
        try:
            self._launch()
        except OSError:
            logger.exception("No watchdog process can be started. A hang is not ended any more.")


def _hang_up(process: subprocess.Popen[str]) -> None:
    if process.stdin:
        try:
            process.stdin.close()
        except BrokenPipeError:
            logger.debug("The watchdog process had ended before it was told to.")


def _log(line: str) -> None:
    for prefix, level in SAYS.items():
        if line.startswith(prefix):
            logger.log(level, "%s", line.removeprefix(prefix))


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
        with folder.stop_request.open("xb", buffering=0) as file, suppress(OSError):
            file.write(reason.encode())  # a full disk keeps the reason from the session, not the request
    except FileExistsError:
        return


def request_prune(folder: RunFolder) -> None:
    """Ask the session on this folder to make room on the disk at its next safe boundary."""
    folder.control.mkdir(parents=True, exist_ok=True)
    folder.prune_request.touch()


def prune_asked(folder: RunFolder) -> bool:
    """Whether room was asked for; ``prune_done`` says that it was made."""
    return folder.prune_request.exists()


def prune_done(folder: RunFolder) -> None:
    """Say that room was made."""
    folder.prune_request.unlink(missing_ok=True)
