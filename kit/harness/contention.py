"""Contention for the cores: how long something on this machine had to wait for one, as Linux counts it."""

from __future__ import annotations

from pathlib import Path

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


class Contention:
    """The share of a stretch of time in which something waited for a core."""

    def __init__(self, now_s: float, pressure: Path = PRESSURE) -> None:
        self._pressure = pressure
        self._began_s, self._before_s = now_s, stalled_s(pressure)

    def share(self, now_s: float) -> float:
        """Return it, from the beginning to ``now_s`` (monotonic seconds); 0 where nobody counts it."""
        after_s, elapsed_s = stalled_s(self._pressure), now_s - self._began_s
        if self._before_s is None or after_s is None or elapsed_s <= 0:
            return 0.0
        return min(1.0, max(0.0, (after_s - self._before_s) / elapsed_s))
