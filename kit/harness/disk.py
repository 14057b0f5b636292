"""Disk: what a folder holds and its file system has left, and whether that is enough to end a run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kit.harness.run_folder import RunFolder
from kit.harness.size import format_size

WALK_EVERY_S = 15.0
PRUNE_AGAIN_S = 600.0
LEAST_MARGIN_BYTES, MOST_MARGIN_BYTES = 2**20, 64 * 2**20
"""What is kept free for the export and the report, whatever else."""
MARGIN_SHARE = 0.02
MOST_EARLY_BYTES = 10**9
EARLY_SHARE = 0.1


def folder_bytes(root: Path, leave_out: frozenset[str] = frozenset()) -> int:
    """Return the bytes of the regular files below ``root``; links are not followed, what vanishes counts nothing.

    ``leave_out`` are names directly in ``root``.
    """
    total, folders = 0, [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if folder == root and entry.name in leave_out:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


@dataclass(frozen=True)
class DiskFacts:
    """One walk, in bytes: what counts against the limit, what an archive would add, what a checkpoint takes."""

    used_bytes: int
    archive_bytes: int
    checkpoint_bytes: int


class DiskWatch:
    """Watches a run folder's disk; the archive to come counts as if it were there.

    Below a first level the session is asked to prune, below a second to stop, while the stop itself (a
    checkpoint, the export, the archive) still fits.
    """

    def __init__(self, folder: RunFolder, limit_bytes: int | None, root: str = "") -> None:
        self._folder, self._limit_bytes = folder, limit_bytes
        self._root = Path(root) if root else folder.root
        self._walked_s: float | None = None
        self._asked_s: float | None = None
        self.facts = DiskFacts(0, 0, 0)
        self.peak_bytes = 0

    def look(self, now_s: float) -> tuple[str, str] | None:
        """Return (``prune`` or ``stop``, why), or None. Walks the folder now and then, else one system call."""
        if self._walked_s is None or now_s - self._walked_s >= WALK_EVERY_S:
            self._walk(now_s)
        total, left = self._room()
        left -= self.facts.archive_bytes
        margin = min(max(LEAST_MARGIN_BYTES, int(MARGIN_SHARE * total)), MOST_MARGIN_BYTES)
        stop_at = margin + 2 * self.facts.checkpoint_bytes
        why = f"disk: {format_size(left)} left of {format_size(total)}, the archive to come counted"
        if left < stop_at and self._pruned(now_s):
            return "stop", why
        if left >= stop_at + min(EARLY_SHARE * total, MOST_EARLY_BYTES):
            return None
        if self._asked_s is not None and now_s - self._asked_s < PRUNE_AGAIN_S:
            return None
        self._asked_s = now_s
        return "prune", why

    def _pruned(self, now_s: float) -> bool:
        """Whether a pruning that was asked for has been done: its request is gone, and the folder counted since."""
        if self._asked_s is None:
            return False
        if now_s - self._asked_s >= WALK_EVERY_S:
            return True  # no boundary came: a stop cannot come sooner than a pruning
        if self._folder.prune_request.exists():
            return False
        if self._walked_s is not None and self._walked_s <= self._asked_s:
            self._walk(now_s)
            return False
        return True

    def _walk(self, now_s: float) -> None:
        folder = self._folder
        own = folder_bytes(folder.root)
        payload = folder_bytes(folder.root, frozenset({folder.archive.name, folder.control.name}))
        used = own if self._root == folder.root else folder_bytes(self._root)
        self.facts = DiskFacts(used, payload, newest_checkpoint_bytes(folder))
        self.peak_bytes = max(self.peak_bytes, own)
        self._walked_s = now_s

    def _room(self) -> tuple[int, int]:
        """Return (total, left) in bytes: the limit's, or the file system's where that has less left."""
        try:
            status = os.statvfs(self._folder.root)
        except OSError:
            return 0, 2**60
        total, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
        if self._limit_bytes is not None and self._limit_bytes - self.facts.used_bytes < free:
            return self._limit_bytes, self._limit_bytes - self.facts.used_bytes
        return total, free


def newest_checkpoint_bytes(folder: RunFolder) -> int:
    """Return what the newest checkpoint holds by itself, 0 where there is none."""
    try:
        newest = max(path for path in folder.checkpoints.glob("step-*") if path.is_dir())
    except (OSError, ValueError):
        return 0
    return folder_bytes(newest)
