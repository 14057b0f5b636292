"""The watching process: ``python -m kit.harness.watchdog_process``, started by ``kit.harness.watchdog``.

Covered: the soft deadline (asks for a stop), the hard deadline (ends the training process, then finalises from
disk), the death of the training process (finalises from disk), a hang (reported with every thread's stack; ended
only where that was ordered), memory and disk (asks for a stop before they run out), GPU memory (warns). Times are
monotonic throughout: a wall clock that jumps changes nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any

import psutil

from kit.errors import KitError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.deadline import format_duration
from kit.harness.finalise import finalise_from_disk
from kit.harness.hang_watch import HangWatch
from kit.harness.heartbeat import Beat, read_beat
from kit.harness.lock import FileLock
from kit.harness.orders import WatchdogOrders
from kit.harness.resource_watch import ResourceWatch
from kit.harness.run_folder import RunFolder
from kit.harness.run_log import FORMAT
from kit.harness.stacks import dump_stacks
from kit.harness.watchdog import HANG, READY, STOP_HARD, STOP_SOFT, request_stop

LOOK_EVERY_S = 0.5
GRACE_S = 1.0
KILL_TAKES_S = 10.0
GONE_LOOK_S = 0.02


class Watch:
    """One watch over one training process."""

    def __init__(self, orders: WatchdogOrders, clock: Clock = SYSTEM_CLOCK) -> None:
        self.orders = orders
        self.folder = RunFolder(Path(orders.run_dir))
        self.clock = clock
        self.hangs = HangWatch(orders.limits.hang_s)
        self.resources = ResourceWatch(orders, self.folder, say)
        self._asked = False
        self._short_of: str | None = None
        self._hang: str | None = None
        try:
            self._process: psutil.Process | None = psutil.Process(orders.pid)
        except psutil.NoSuchProcess:
            self._process = None

    def alive(self) -> bool:
        """Whether the training process still runs (a zombie does not)."""
        process = self._process
        try:
            return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def next_look_s(self) -> float:
        """How long to sleep: until the next deadline, half a second at most."""
        now = self.clock.monotonic()
        coming = [self.orders.hard_at_s] if self._asked else [self.orders.soft_at_s, self.orders.hard_at_s]
        return max(0.005, min([LOOK_EVERY_S, *(at - now for at in coming)]))

    def look(self) -> bool:
        """Look once; return False when there is nothing left to watch."""
        now = self.clock.monotonic()
        if not self.alive():
            short = f" ({self._short_of})" if self._short_of else ""
            self.finalise("failed", f"the training process died{short}")
            return False
        if now >= self.orders.hard_at_s:
            self.end_training(STOP_HARD)
            self.finalise("stopped", STOP_HARD)
            return False
        if not self._asked and now >= self.orders.soft_at_s:
            self._ask(STOP_SOFT)
            self._asked = True
        self._look_at_resources(now)
        return self._look_for_a_hang(now)

    def _ask(self, reason: str) -> None:
        try:
            request_stop(self.folder, reason)
        except OSError as error:
            say("warning", f"The session could not be asked to stop ({reason}): {error}")

    def _look_at_resources(self, now: float) -> None:
        wish = self.resources.look(now, self.hangs.longest_s)
        if wish is not None and self._short_of is None:
            self._short_of = wish
            self._ask(wish)

    def _look_for_a_hang(self, now: float) -> bool:
        """Report a hang, once, before anything is ended; return False when it was ended."""
        beat = read_beat(self.folder.heartbeat)
        event = self.hangs.observe(beat, now)
        if event == "goes on":
            say("warning", "The run goes on: it did not hang, or does no longer.")
            self._hang = None
        elif event == "hangs" and beat is not None:
            return self._on_hang(beat)
        return True

    def _on_hang(self, beat: Beat) -> bool:
        silent = format_duration(round(self.hangs.silent_s))
        where = f"no heartbeat for {silent}, in phase {beat.phase} at step {beat.step:,}"
        self._hang = f"{HANG}: {where}"
        stacks = (
            "every thread's stack is in logs/stacks.txt"
            if self._dump(where)
            else "its stacks could not be had"
        )
        ends = self.orders.limits.end_hang
        left = format_duration(round(self.orders.hard_at_s - self.clock.monotonic()))
        then = (
            "It is ended now" if ends else f"If it does not go on it is ended at the hard deadline, in {left}"
        )
        self.report(f"The run hangs: {where}; {stacks}. {then}.")
        if ends:
            self.end_training(HANG)
            self.finalise("failed", self._hang)
        return not ends

    def _dump(self, heading: str) -> bool:
        folder, orders = self.folder, self.orders
        return dump_stacks(orders.pid, orders.stacks_signal, folder.raw_stacks, folder.stacks, heading)

    def report(self, text: str) -> None:
        """Write a line to run.log and to the training process's standard error, from here: it may not be able to."""
        record = logging.LogRecord("kit.harness.watchdog", logging.WARNING, "", 0, text, None, None)
        line = (logging.Formatter(FORMAT).format(record) + "\n").encode()
        with contextlib.suppress(OSError), self.folder.log.open("ab", buffering=0) as file:
            file.write(line)
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_NONBLOCK
        with contextlib.suppress(OSError):  # closed, a socket, or a pipe that nobody empties
            error_output = os.open(f"/proc/{self.orders.pid}/fd/2", flags)
            try:
                os.write(error_output, line)
            finally:
                os.close(error_output)

    def end_training(self, order: str) -> None:
        """Let the process leave by itself if its interpreter still turns, else write its stacks and kill it."""
        _tell(order)
        process = self._process
        if process is None:
            return
        if self._gone(GRACE_S):
            return
        if self._hang is None:
            self._dump("the hard deadline came, and the interpreter does not answer")
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        self._gone(KILL_TAKES_S)

    def _gone(self, within_s: float) -> bool:
        """Wait until the training process is dead, reaped or not: its parent may never ask for it."""
        for _ in range(round(within_s / GONE_LOOK_S)):
            if not self.alive():
                return True
            select.select([], [], [], GONE_LOOK_S)
        return not self.alive()

    def finalise(self, status: str, reason: str) -> None:
        """Make layer 3 from what is on disk."""
        elapsed = self.clock.monotonic() - self.orders.began_s
        more: dict[str, Any] = {"hang": self._hang} if self._hang else {}
        finalise_from_disk(
            self.folder,
            status=status,
            reason=reason,
            session=self.orders.session,
            elapsed_s=elapsed,
            more=more,
        )


def say(level: str, text: str) -> None:
    """Let the training process log a line."""
    _tell(f"{level}: {text}")


def _tell(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # the training process has gone: the next look sees it
        print(line, flush=True)  # noqa: T201  the pipe to the training process


def main() -> int:
    """Watch until the training process says that it is done, or is not there any more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    orders = os.fdopen(0, "rb", buffering=0)  # unbuffered: select must see what readline left
    watch = Watch(WatchdogOrders.from_json(orders.readline().decode()))
    held = FileLock(watch.folder.watching).acquire(wait=True)
    _tell(READY)
    try:
        while True:
            ready, _, _ = select.select([orders], [], [], watch.next_look_s())
            if ready and orders.readline().strip() == b"done":
                return 0
            if not watch.look():
                return 0
            if ready:  # end of file without "done": the process is about to be gone
                select.select([], [], [], 0.02)
    except KitError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    finally:
        held.release()


if __name__ == "__main__":
    sys.exit(main())
