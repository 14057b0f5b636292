"""The watching process: ``python -m kit.harness.watchdog_process``, started by ``kit.harness.watchdog``.

Covered: the soft deadline (asks for a stop), the hard deadline (ends the training process, then finalises from
disk), the death of the training process (finalises from disk). Not covered here: memory, disk and hangs before
the hard deadline.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

import psutil

from kit.errors import KitError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.finalise import finalise_from_disk
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder
from kit.harness.watchdog import READY, STOP_HARD, STOP_SOFT, WatchdogOrders, request_stop

LOOK_EVERY_S = 0.5
GRACE_S = 1.0


class Watch:
    """One watch over one training process."""

    def __init__(self, orders: WatchdogOrders, clock: Clock = SYSTEM_CLOCK) -> None:
        self.orders = orders
        self.folder = RunFolder(Path(orders.run_dir))
        self.clock = clock
        self._asked = False
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
            self.finalise("failed", "the training process died")
            return False
        if now >= self.orders.hard_at_s:
            self.end_training()
            self.finalise("stopped", STOP_HARD)
            return False
        if not self._asked and now >= self.orders.soft_at_s:
            request_stop(self.folder, STOP_SOFT)
            self._asked = True
        return True

    def end_training(self) -> None:
        """Let the process leave with exit code 6 if its interpreter still turns, else kill it."""
        print(STOP_HARD, flush=True)  # noqa: T201  the pipe to the training process
        process = self._process
        if process is None:
            return
        try:
            process.wait(timeout=GRACE_S)
        except psutil.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(timeout=10)

    def finalise(self, status: str, reason: str) -> None:
        """Make layer 3 from what is on disk."""
        elapsed = self.clock.monotonic() - self.orders.began_s
        finalise_from_disk(
            self.folder, status=status, reason=reason, session=self.orders.session, elapsed_s=elapsed
        )


def main() -> int:
    """Watch until the training process says that it is done, or is not there any more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    orders = os.fdopen(0, "rb", buffering=0)  # unbuffered: select must see what readline left
    watch = Watch(WatchdogOrders.from_json(orders.readline().decode()))
    held = FileLock(watch.folder.watching).acquire(wait=True)
    print(READY, flush=True)  # noqa: T201  the pipe to the training process
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
