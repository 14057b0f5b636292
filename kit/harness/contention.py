"""Contention for the cores: how much of the time others kept a process and its children from one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from kit.harness.platform import machine

PRESSURE = Path("/proc/pressure/cpu")


def stalled_s(pressure: Path = PRESSURE) -> float | None:
    """Return the seconds since boot in which some process was ready and had no core; None where nobody counts them.

    Linux's pressure stall information: the ``total`` of ``some``, in microseconds. It counts the whole machine or
    control group, so whatever a single process waited for a core is at most what this grew by.
    """
    try:
        for line in pressure.read_text().splitlines():
            kind, *fields = line.split()
            if kind == "some":
                found = dict(field.split("=", 1) for field in fields)
                return float(found["total"]) / 1e6
    except (OSError, ValueError, KeyError):
        pass
    return None


@dataclass(frozen=True)
class Reading:
    """Seconds so far: stalls on the machine, CPU of all of it, and CPU of this process with its children."""

    stalled_s: float
    machine_s: float
    own_s: float

    @classmethod
    def take(cls, pressure: Path = PRESSURE) -> Reading | None:
        """Read the counters; None where one of them is missing, or counts cores that are not this process's to use."""
        stalls = stalled_s(pressure)
        if stalls is None or psutil.cpu_count() != machine()["cores"]:
            return None
        try:
            times = psutil.cpu_times()
            idle_s = times.idle + getattr(times, "iowait", 0.0)
            return cls(stalls, sum(times[:8]) - idle_s, _own_cpu_s())
        except (psutil.Error, OSError):
            return None


def _own_cpu_s() -> float:
    """Return CPU seconds of this process and its descendants, those that have ended and were waited for included."""
    me, found = psutil.Process(), 0.0
    for process in (me, *me.children(recursive=True)):
        try:
            found += sum(process.cpu_times()[:4])
        except psutil.Error:  # it ended just now
            continue
    return found


def others_share(before: Reading, after: Reading, elapsed_s: float) -> float:
    """Return the share of ``elapsed_s`` that others may have cost this process, at most.

    It waited for a core no longer than anything did, and of the time that was computed no larger a share can be
    gained than the others took: min(stalls ÷ elapsed, others' CPU ÷ all CPU).
    """
    computed_s = after.machine_s - before.machine_s
    others_s = computed_s - (after.own_s - before.own_s)
    if elapsed_s <= 0 or computed_s <= 0:
        return 0.0
    return min(1.0, max(0.0, min((after.stalled_s - before.stalled_s) / elapsed_s, others_s / computed_s)))


class Contention:
    """What others may have cost this process over a stretch of time."""

    def __init__(self, now_s: float) -> None:
        self._began_s, self._before = now_s, Reading.take()

    def share(self, now_s: float) -> float:
        """Return it, from the beginning to ``now_s`` (monotonic seconds); 0 where nobody counts."""
        after = Reading.take() if self._before is not None else None
        if self._before is None or after is None:
            return 0.0
        return others_share(self._before, after, now_s - self._began_s)
