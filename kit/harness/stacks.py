"""Stacks: what every thread of a training process is doing, also while a native call keeps the interpreter's lock.

``faulthandler`` writes them from a signal handler in C, so the interpreter need not turn. It writes to a file of
the session's own; the watchdog, which sends the signal, adds what came to logs/stacks.txt under a heading.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import signal
import threading
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)

LOOK_S = 0.05
WAIT_S = 2.0


class StackWriter:
    """The training process's side: registers a signal that nobody uses; ``signal`` is 0 where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.signal = 0
        self._file: IO[bytes] | None = None

    def start(self) -> None:
        """Register; where that is not possible a hang is reported without stacks."""
        try:
            number = free_signal()
            self._file = self.path.open("wb")
            faulthandler.register(number, file=self._file, all_threads=True, chain=False)
            self.signal = number
        except (OSError, ValueError, AttributeError, RuntimeError) as error:
            logger.debug("No stacks can be written: %s", error)
            self.stop()

    def stop(self) -> None:
        """Give the signal back; only after the watchdog has ended, for then it would end this process."""
        if self.signal:
            faulthandler.unregister(self.signal)
            self.signal = 0
        if self._file is not None:
            self._file.close()
            self._file = None


def free_signal() -> int:
    """Return a real-time signal that is neither caught nor ignored nor blocked here. Raises ValueError without one.

    Read from the kernel, not from ``signal.getsignal``: that does not know of handlers set in C.
    """
    status = Path("/proc/self/status").read_text()
    masks = re.findall(r"^(?:SigBlk|SigIgn|SigCgt):\s*([0-9a-f]+)$", status, re.MULTILINE)
    taken = 0
    for mask in masks:
        taken |= int(mask, 16)
    for number in range(signal.SIGRTMAX - 1, signal.SIGRTMIN, -1):
        if not taken >> (number - 1) & 1:
            return number
    raise ValueError("every real-time signal is in use")


def dump_stacks(pid: int, number: int, written: Path, into: Path, heading: str) -> bool:
    """Let the process write its stacks and add them to ``into`` under ``heading``; return whether any came."""
    if not number:
        return False
    try:
        before = written.stat().st_size
        os.kill(pid, number)
        text = _read_when_whole(written, before)
        if not text:
            return False
        into.parent.mkdir(parents=True, exist_ok=True)
        with into.open("ab", buffering=0) as file:
            file.write(f"=== {heading}\n".encode() + text + b"\n")
    except OSError as error:
        logger.debug("The stacks could not be kept: %s", error)
        return False
    return True


def _read_when_whole(path: Path, before: int) -> bytes:
    """Return what was added after ``before`` bytes, once it no longer grows; empty when nothing comes in time."""
    size = before
    for _ in range(round(WAIT_S / LOOK_S)):
        threading.Event().wait(LOOK_S)
        grown = path.stat().st_size
        if grown == size > before:
            break
        size = grown
    with path.open("rb") as file:
        file.seek(before)
        return file.read()
