"""The most memory that this process held during a probe: the kernel's own mark where it rose, else samples."""

from __future__ import annotations

import re
from pathlib import Path

import psutil

LOOK_EVERY_S = 0.01
STATUS = Path("/proc/self/status")


class ProcessPeak:
    """Watches resident memory (files mapped into it included) from when it is made.

    The kernel keeps the highest mark of the process's life. Where that rises during the probe it is the probe's peak
    to the page. Where it does not, something before held more, and the most that was seen at the looks has to do.
    Processes beside this one (workers of a loader, environments) are not in it.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._mark_before = _high_mark()
        self._looked_s: float | None = None
        self._seen = int(self._process.memory_info().rss)

    def due(self, now_s: float) -> bool:
        """Whether it is time for a look: one is a system call or two, so at most a hundred a second."""
        return self._looked_s is None or now_s - self._looked_s >= LOOK_EVERY_S

    def look(self, now_s: float) -> None:
        """Read what the process holds now."""
        self._looked_s = now_s
        self._seen = max(self._seen, int(self._process.memory_info().rss))

    def peak_bytes(self) -> int:
        """Return the most since this was made, in bytes."""
        mark = _high_mark()
        rose = mark is not None and self._mark_before is not None and mark > self._mark_before
        return max(self._seen, mark) if mark is not None and rose else self._seen


def _high_mark() -> int | None:
    """Return VmHWM, the highest resident size of this process's life in bytes; None where it is not told."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
