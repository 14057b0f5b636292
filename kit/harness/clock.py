"""Time, injected: the only module of the harness that reads a clock.

``CLOCK_MONOTONIC`` is one clock for every process of one boot, so an absolute monotonic time may be handed
from one process to another (a deadline to the watchdog, a launch time to the kernel of a notebook). It
means nothing after a reboot or on another machine: what goes to disk is a duration, or wall time.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol, runtime_checkable

import psutil


@runtime_checkable
class Clock(Protocol):
    """Where the harness gets its time from. All values are in seconds."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; comparable between processes of one boot."""
        ...

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC; may jump when the machine's clock is set."""
        ...

    def cpu(self) -> float:
        """CPU seconds (user + system, all threads) this process has used."""
        ...

    def thread_cpu(self) -> float:
        """CPU seconds (user + system) the calling thread has used."""
        ...


class SystemClock:
    """The machine's own clocks."""

    monotonic = staticmethod(time.monotonic)
    """Seconds on ``CLOCK_MONOTONIC``, shared by all processes of one boot; read on hot paths, so without a detour."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()

    def cpu(self) -> float:
        """CPU seconds this process has used, all threads together."""
        return time.process_time()

    def thread_cpu(self) -> float:
        """CPU seconds the calling thread has used."""
        return time.thread_time()


class ManualClock:
    """A clock that stands still until a test advances it.

    ``advance`` moves the monotonic and the wall time together; ``burn`` adds CPU seconds (and as much of
    the others).
    """

    def __init__(self, monotonic: float = 1_000.0, wall: float = 1_700_000_000.0, cpu: float = 0.0) -> None:
        self._monotonic, self._wall, self._cpu = monotonic, wall, cpu

    def monotonic(self) -> float:
        """Seconds, as set by the test."""
        return self._monotonic

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC, as set by the test."""
        return self._wall

    def cpu(self) -> float:
        """CPU seconds, as set by the test."""
        return self._cpu

    def thread_cpu(self) -> float:
        """CPU seconds, as set by the test; those of the process."""
        return self._cpu

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; a monotonic clock does not go back, so a negative value raises ValueError."""
        if seconds < 0:
            raise ValueError(f"A monotonic clock cannot advance by {seconds} s.")
        self._monotonic += seconds
        self._wall += seconds

    def burn(self, seconds: float) -> None:
        """Let ``seconds`` of computing pass: CPU time and the other clocks advance together."""
        self.advance(seconds)
        self._cpu += seconds


SYSTEM_CLOCK = SystemClock()


def process_began_s(clock: Clock = SYSTEM_CLOCK) -> float:
    """Return when this process was created, absolute monotonic seconds; now, where the machine does not tell."""
    return clock.monotonic() - (process_age_s(os.getpid()) or 0.0)


def process_age_s(pid: int) -> float | None:
    """Seconds since process ``pid`` was created, or None where the machine does not tell.

    Field 22 of ``/proc/PID/stat`` counts ticks since boot, suspend included, so it is held against
    ``CLOCK_BOOTTIME``, which no setting of the wall clock moves. Where ``/proc`` is not readable psutil is
    asked.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        # The name in brackets may itself hold blanks and brackets: count from the last bracket.
        ticks = int(stat.rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _psutil_age_s(pid)
    # A sandbox may count the two from different origins; an age below zero tells so.
    return age if age >= 0 else _psutil_age_s(pid)


def _psutil_age_s(pid: int) -> float | None:
    try:
        age = time.time() - float(psutil.Process(pid).create_time())
    except (psutil.Error, OSError):
        return None
    return age if age >= 0 else None
