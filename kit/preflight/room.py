"""Whether the disk, and what the platform grants of it, holds the run with its archive."""

from __future__ import annotations

import os

from kit.harness.disk import folder_bytes
from kit.harness.size import format_size, parse_size
from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.launching import Launching

LEAST_BYTES = 64 * 2**20
"""Below this a run cannot begin, whatever it needs: two checkpoints, an export, a report and their archive."""
COMFORT = 1.5
"""A forecast is no promise: this many times its disk should be free."""


def _look_at_room(launching: Launching) -> Verdict:
    status = os.statvfs(launching.standing)
    left = status.f_bavail * status.f_frsize
    granted = _granted(launching)
    room = min(left, granted) if granted is not None else left
    need = max(LEAST_BYTES, launching.need_bytes)
    quota = f", {format_size(max(granted, 0))} of the quota" if granted is not None else ""
    saw = f"{format_size(left)} free{quota}; the run takes {_words(launching.need_bytes)} with its archive."
    if room < need:
        return fails(saw)
    return notes(saw) if launching.need_bytes and room < COMFORT * need else passes(saw)


def _granted(launching: Launching) -> int | None:
    """Return what of a quota is left in bytes, None without one."""
    asked = launching.options.get("disk_limit")
    if asked:
        return parse_size(asked, "disk_limit") - folder_bytes(launching.folder.root)
    platform = launching.platform
    if platform.disk_limit_bytes is None or not launching.folder.root.is_relative_to(platform.output_root):
        return None
    return platform.disk_limit_bytes - folder_bytes(platform.output_root)


def _words(need_bytes: int) -> str:
    if not need_bytes:
        return f"an amount not forecast yet, {format_size(LEAST_BYTES)} at least"
    return f"{format_size(need_bytes)} by its forecast"


ROOM = Check(
    "Disk and quota enough",
    "A full disk ends a run at its next checkpoint; on Kaggle the quota is 20 GB, old runs included.",
    "Free some space, give --out another disk, or a smaller replay buffer to the run.",
    _look_at_room,
)
