"""What the machine may hold: memory of all its processes, and ``/kaggle/working`` on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from kit.harness.memory import tree_bytes
from kit.harness.memory_watch import family
from kit.remote.machine_order import MachineOrder

MEMORY_EVERY_S = 0.2
DISK_EVERY_S = 1.0


class MachineLimits:
    """Measures the descendants of this process, and writes what they hold where their control group would say it."""

    def __init__(self, order: MachineOrder, *, own_disk: bool) -> None:
        self._memory_bytes, self._disk_bytes = order.memory_bytes, order.disk_bytes
        self._working, self._own_disk = order.working, own_disk
        self._group = Path(order.stage) / "group"
        self._memory_s = self._disk_s = 0.0
        self._say(self._memory_bytes, "memory.max", "memory/memory.limit_in_bytes")
        for name in ("memory.stat", "memory/memory.stat"):
            (self._group / name).touch()

    def exceeded(self, now_s: float) -> Literal["memory", "disk"] | None:
        """Return which limit is exceeded, if one is; looks as often as is cheap."""
        if now_s - self._memory_s >= MEMORY_EVERY_S:
            self._memory_s = now_s
            held = self._held()
            self._say(held, "memory.current", "memory/memory.usage_in_bytes")
            if held > self._memory_bytes:
                return "memory"
        if not self._own_disk and now_s - self._disk_s >= DISK_EVERY_S:
            self._disk_s = now_s
            if folder_bytes(self._working) > self._disk_bytes:
                return "disk"
        return None

    def _held(self) -> int:
        processes = family(os.getpid())
        quick = tree_bytes(processes, precise=False)
        return tree_bytes(processes, precise=True) if quick > self._memory_bytes else quick

    def _say(self, size: int, *names: str) -> None:
        """Write a number of one width over the one before: a reader never finds half of it."""
        for name in names:
            path = self._group / name
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.pwrite(file, b"%20d\n" % size, 0)
            finally:
                os.close(file)


def folder_bytes(folder: Path) -> int:
    """Return the bytes on disk of all files below ``folder``; files that go meanwhile count nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_blocks * 512
            except OSError:
                continue
    return total
