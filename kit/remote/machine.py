"""The process that plays the Kaggle machine: ``python -m kit.remote.machine ORDER``. It makes it, watches it, kills it.

What it makes with namespaces has a process 1, folders, inputs and a network of its own, and is killed by the operating
system's kernel in one go. Where those are not allowed, the same programs run in a redirected folder.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from shutil import copytree
from typing import Literal, TypeAlias

import psutil

from kit.harness.clock import SYSTEM_CLOCK
from kit.harness.memory_watch import family
from kit.remote.linux import (
    NEW_MOUNTS,
    NEW_NETWORK,
    NEW_PROCESSES,
    adopt_orphans,
    own_namespaces,
    start_loopback,
)
from kit.remote.machine_limits import MachineLimits
from kit.remote.machine_order import NAMESPACES, MachineOrder, Verdict
from kit.remote.machine_root import build_root, has_own_disk
from kit.remote.survivors import keep_files_only

TICK_S = 0.05
KILLED = 128 + signal.SIGKILL
Process: TypeAlias = "subprocess.Popen[bytes]"


class Machine:
    """One machine, from its making to its end."""

    def __init__(self, order: MachineOrder) -> None:
        self._order = order
        self._isolated = order.isolation == NAMESPACES
        self._began_s = SYSTEM_CLOCK.monotonic()

    def run(self) -> Verdict:
        """Make the machine, run the notebook on it, and return how that ended."""
        limits = MachineLimits(self._order, own_disk=self._isolated and has_own_disk(self._order))
        try:
            self._make()
            process = self._start()
        except OSError as error:
            return Verdict("setup", why=str(error))
        try:
            reason = self._watch(process, limits)
        finally:
            self._kill(process)
        elapsed_s = round(SYSTEM_CLOCK.monotonic() - self._began_s, 3)
        if self._isolated and has_own_disk(self._order):
            keep_files_only(self._order.working)  # a pipe or a socket cannot be copied
            copytree(self._order.working, self._order.rescued)
        if reason is not None:
            return Verdict(reason, KILLED, elapsed_s=elapsed_s)
        return Verdict("itself", process.returncode, elapsed_s=elapsed_s)

    def _make(self) -> None:
        adopt_orphans()
        if not self._isolated:
            return
        own_namespaces(NEW_MOUNTS | NEW_PROCESSES | (0 if self._order.internet else NEW_NETWORK))
        if not self._order.internet:
            start_loopback()
        build_root(self._order)

    def _start(self) -> Process:
        """Start the first process; OSError where it could not enter the machine."""
        reading, writing = os.pipe()
        order = str(Path(self._order.stage) / "order.json")
        self._began_s = SYSTEM_CLOCK.monotonic()
        with os.fdopen(reading, "rb") as ready:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "kit.remote.first_process", order, str(writing)],
                    pass_fds=[writing],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            finally:
                os.close(writing)
            if ready.read(1):
                return process
        self._kill(process)
        raise OSError("the first process could not enter the machine; the log says why")

    def _watch(self, process: Process, limits: MachineLimits) -> Literal["time", "memory", "disk"] | None:
        """Wait for the end; return why it has to be killed, or None where it ended by itself."""
        end_s = self._began_s + self._order.limit_s
        while True:
            left_s = end_s - SYSTEM_CLOCK.monotonic()
            if left_s <= 0:
                return "time"
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=min(TICK_S, left_s))
                return None
            exceeded = limits.exceeded(SYSTEM_CLOCK.monotonic())
            if exceeded is not None:
                return exceeded
            if os.getppid() != self._order.parent:
                sys.exit("the command that started this rehearsal is gone")

    def _kill(self, process: Process) -> None:
        """Let nothing of the machine be left. With process 1 the kernel kills all that live beside it."""
        if not self._isolated:
            while there := _alive(family(os.getpid())):
                # Stopped first, so that none of them sees another one die, and does something about it.
                for number in (signal.SIGSTOP, signal.SIGKILL):
                    for one in there:
                        with suppress(psutil.NoSuchProcess):
                            one.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=TICK_S)
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    alive = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    return alive


def main() -> int:
    """Play the machine of the order whose path is the one argument, and leave the verdict."""
    order = MachineOrder.read(Path(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    Machine(order).run().write(order.verdict)
    return 0


if __name__ == "__main__":
    sys.exit(main())
