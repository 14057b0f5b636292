"""ResourceWatch: memory, GPU memory and disk of one run, looked at together, and their peaks."""

from __future__ import annotations

from collections.abc import Callable

import psutil

from kit.harness.disk import DiskWatch
from kit.harness.gpu import GpuWatch
from kit.harness.memory_watch import LOOK_EVERY_S, MemoryWatch
from kit.harness.orders import WatchdogOrders
from kit.harness.run_folder import RunFolder
from kit.harness.summary import read_json, write_json
from kit.harness.watchdog import request_prune

RISEN = 1.02
"""A peak is written when it is this many times the one on disk."""

Say = Callable[[str, str], None]
"""Called with a level (``warning``, ``info``, ``debug``) and a line for the run's log."""


class ResourceWatch:
    """Looks once a second; what runs short is said, pruned, or a reason to stop."""

    def __init__(self, orders: WatchdogOrders, folder: RunFolder, say: Say) -> None:
        limits = orders.limits
        self._folder, self._say = folder, say
        self._memory = MemoryWatch(orders.pid, limits.memory_bytes)
        self._disk = DiskWatch(folder, limits.disk_bytes, limits.disk_root)
        self._gpu = GpuWatch()
        self._looked_s: float | None = None
        self._gpu_said = False
        self._written = {name: int(value) for name, value in read_json(folder.peaks).items()}

    def look(self, now_s: float, boundary_s: float) -> str | None:
        """Take the readings that are due; return why the run should stop, or None.

        ``boundary_s`` is the longest time between two signs of life so far. What cannot be read is not watched.
        """
        if self._looked_s is not None and now_s - self._looked_s < LOOK_EVERY_S:
            return None
        self._looked_s = now_s
        try:
            wish = self._look_at_disk(now_s)
            memory = self._memory.look(now_s, boundary_s, self._disk.facts.checkpoint_bytes)
            self._warn(self._memory.take_warning())
            self._warn(self._gpu.look(now_s))
            self._note_peaks()
        except (OSError, psutil.Error) as error:
            self._say("debug", f"The watchdog could not read what the run uses: {error}")
            return None
        if self._gpu.absent and not self._gpu_said:
            self._gpu_said = True
            self._say("debug", "No GPU memory to watch: neither NVML nor nvidia-smi tells of a device.")
        return memory or wish

    def _look_at_disk(self, now_s: float) -> str | None:
        found = self._disk.look(now_s)
        if found is None:
            return None
        wish, why = found
        if wish == "stop":
            return why
        self._say("warning", f"The disk is getting full ({why}): old checkpoints are pruned.")
        request_prune(self._folder)
        return None

    def _warn(self, text: str | None) -> None:
        if text is not None:
            self._say("warning", text)

    def _note_peaks(self) -> None:
        """Keep the peaks of the run, over its sessions; they become part of the summary."""
        now = {
            "memory_bytes": self._memory.peak_bytes,
            "gpu_bytes": self._gpu.peak_bytes,
            "disk_bytes": self._disk.peak_bytes,
        }
        if self._written and all(now[name] <= RISEN * self._written.get(name, 0) for name in now):
            return
        self._written = {name: max(value, self._written.get(name, 0)) for name, value in now.items()}
        write_json(self._folder.peaks, self._written)
