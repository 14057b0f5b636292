"""Memory: what a process holds with its children, and how much the machine has left before its kernel kills."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

CGROUP_ROOT = Path("/sys/fs/cgroup")
_NO_LIMIT = 2**60
"""From here on a control group's limit means none (version 1 writes a number near 2^63)."""


@dataclass(frozen=True)
class Room:
    """Bytes: what may be held, and what of it is left."""

    limit_bytes: int
    left_bytes: int


def tree_bytes(processes: list[psutil.Process], *, precise: bool) -> int:
    """Return what the processes hold, in bytes.

    The quick figure is their private pages, and the shared memory of the one that has most of it: forked
    workers share pages with their parent, which it counts for each of them. The precise one (proportional set
    size) shares them out, but walks every page table: asked for when the quick one is near a limit.
    """
    if precise:
        sizes = [_proportional(process) for process in processes]
        if all(size is not None for size in sizes):
            return sum(size or 0 for size in sizes)
    held = [_resident(process) for process in processes]
    return sum(private for private, _ in held) + max((shared for _, shared in held), default=0)


def _proportional(process: psutil.Process) -> int | None:
    """Return the proportional share of what is not backed by files; 0 for one that has gone, None if unreadable."""
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except OSError:
        return None
    kilobytes = re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB", text, re.MULTILINE)
    return sum(map(int, kilobytes)) * 1024 if kilobytes else None


def _resident(process: psutil.Process) -> tuple[int, int]:
    """Return (private, shared) bytes of a process, files left out; nothing of one that has gone."""
    try:
        text = Path(f"/proc/{process.pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    found = {
        name: int(size) * 1024 for name, size in re.findall(r"^(Rss\w+):\s+(\d+) kB", text, re.MULTILINE)
    }
    return found.get("RssAnon", 0), found.get("RssShmem", 0)


def machine_room(cgroup: Path = Path("/proc/self/cgroup"), root: Path = CGROUP_ROOT) -> Room:
    """Return what the machine has left: physical memory, or the control group with least, own or above."""
    memory = psutil.virtual_memory()
    rooms = [Room(int(memory.total), int(memory.available)), *_group_rooms(cgroup, root)]
    return min(rooms, key=lambda room: room.left_bytes)


def _group_rooms(cgroup: Path, root: Path) -> Iterator[Room]:
    """Yield a room for each control group with a limit, from this process's own upwards, versions 1 and 2."""
    try:
        lines = cgroup.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "memory" if controllers else root
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if controllers
            else ("memory.max", "memory.current")
        )
        folder = base / path.lstrip("/")
        for group in (folder, *folder.parents):
            room = _room_of(group, *names)
            if room is not None:
                yield room
            if group == base:
                break


def _room_of(group: Path, limit_name: str, usage_name: str) -> Room | None:
    """Return a group's room; the file cache counts as free, the kernel drops it before it kills."""
    try:
        limit, used = int((group / limit_name).read_text()), int((group / usage_name).read_text())
        facts = (group / "memory.stat").read_text()
    except (OSError, ValueError):  # not mounted in here, or the limit reads "max"
        return None
    if limit >= _NO_LIMIT:
        return None
    prefix = "total_" if "total_inactive_file" in facts else ""
    cached = re.findall(rf"^{prefix}(?:in)?active_file (\d+)$", facts, re.MULTILINE)
    return Room(limit, limit - used + sum(map(int, cached)))
