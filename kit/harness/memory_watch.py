"""MemoryWatch: sees memory run out before the kernel does, in time for a checkpoint."""

from __future__ import annotations

from collections import deque

import psutil

from kit.harness.memory import Room, machine_room, tree_bytes
from kit.harness.size import format_size

LOOK_EVERY_S = 1.0
FAMILY_EVERY_S = 5.0
WINDOW = 8
"""Readings that the growth is taken from, one a second; four equal parts of it."""
RESERVE_BYTES = 64 * 2**20
RESERVE_SHARE = 0.25
WARN_SHARE = 0.2
GROWTH_SHARE = 0.5
STOP_TAKES_S = 3.0
STOP_TAKES_AT_MOST_S = 60.0


class MemoryWatch:
    """Watches what the training process and its children hold against ``limit_bytes``, or the machine's room.

    A stop is called for when what is left does not hold the stop itself (a snapshot, its encoded files, the
    report), or would not any more once the next boundary comes, at the rate at which memory grows.
    """

    def __init__(self, pid: int, limit_bytes: int | None) -> None:
        self._pid, self._limit_bytes = pid, limit_bytes
        self._family: list[psutil.Process] = []
        self._family_s = -FAMILY_EVERY_S
        self._left: deque[int] = deque(maxlen=WINDOW + 1)
        self.peak_bytes = 0
        self.warning: str | None = None
        self._warned = False

    def look(self, now_s: float, boundary_s: float, checkpoint_bytes: int) -> str | None:
        """Take a reading; return why to stop, or None. ``warning`` then holds what is to be said, once.

        ``boundary_s`` is the longest time between two boundaries so far, ``checkpoint_bytes`` what one takes.
        """
        used, room = self._reading(now_s)
        self.peak_bytes = max(self.peak_bytes, used)
        self._left.append(room.left_bytes)
        reserve = min(RESERVE_BYTES + 2 * checkpoint_bytes, int(RESERVE_SHARE * room.limit_bytes))
        takes_s = min(boundary_s + STOP_TAKES_S, STOP_TAKES_AT_MOST_S)
        coming = self.growth() * takes_s if room.left_bytes < GROWTH_SHARE * room.limit_bytes else 0.0
        facts = f"{format_size(used)} held, {format_size(room.left_bytes)} left of {format_size(room.limit_bytes)}"
        if room.left_bytes - coming < reserve:
            rate = f", growing {format_size(self.growth())}/s" if self.growth() else ""
            return f"memory: {facts}{rate}"
        if not self._warned and room.left_bytes < max(WARN_SHARE * room.limit_bytes, 2 * reserve):
            self._warned = True
            self.warning = f"Memory is getting short: {facts}. The run stops, resumable, before it runs out."
        return None

    def take_warning(self) -> str | None:
        """Return what is to be said, once."""
        said, self.warning = self.warning, None
        return said

    def growth(self) -> float:
        """Return bytes a second in the slowest quarter of the window: a leak grows in each, an allocation in one."""
        if len(self._left) <= WINDOW:
            return 0.0
        part = WINDOW // 4
        left = list(self._left)
        shrunk = [left[at] - left[at + part] for at in range(0, WINDOW, part)]
        return max(0.0, min(shrunk) / (part * LOOK_EVERY_S))

    def _reading(self, now_s: float) -> tuple[int, Room]:
        if now_s - self._family_s >= FAMILY_EVERY_S:
            self._family, self._family_s = family(self._pid), now_s
        used, machine = tree_bytes(self._family, precise=False), machine_room()
        if self._limit_bytes is None:
            return used, machine
        if len(self._family) > 1 and used > GROWTH_SHARE * self._limit_bytes:
            used = tree_bytes(self._family, precise=True)
        own = Room(self._limit_bytes, self._limit_bytes - used)
        return used, min(own, machine, key=lambda room: room.left_bytes)


def family(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants, this one left out; empty when it has gone."""
    try:
        top = psutil.Process(pid)
        found = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    return [one for one in found if one != psutil.Process()]
