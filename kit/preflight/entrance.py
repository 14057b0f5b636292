"""The cheap checks, on the way into a fresh run."""

from __future__ import annotations

from collections.abc import Iterable

from kit.errors import PreflightError
from kit.preflight.archive_tool import ARCHIVE_TOOL
from kit.preflight.check import FAIL, Check, Finding
from kit.preflight.gpu_asked import GPU_THERE
from kit.preflight.launching import Launching
from kit.preflight.output import CHECKPOINTS, KAGGLE_FOLDER, OUTPUT
from kit.preflight.requirements import VERSIONS
from kit.preflight.room import ROOM
from kit.preflight.seeding import SEED
from kit.preflight.throttle_on import THROTTLE
from kit.preflight.time_limits import LIMITS

ENTRANCE: tuple[Check[Launching], ...] = (
    OUTPUT,
    CHECKPOINTS,
    KAGGLE_FOLDER,
    ROOM,
    VERSIONS,
    SEED,
    LIMITS,
    ARCHIVE_TOOL,
    THROTTLE,
    GPU_THERE,
)
"""In the order in which they are shown."""


def look_before(launching: Launching) -> list[Finding]:
    """Return what the cheap checks see; together they take well under two seconds."""
    return [check.of(launching) for check in ENTRANCE]


def refuse_failed(findings: Iterable[Finding]) -> None:
    """Raise PreflightError where a check failed: names it, what it saw and what to do."""
    failed = [finding for finding in findings if finding.status == FAIL]
    if failed:
        told = " ".join(f"{one.name}: {one.saw} To do: {one.todo}" for one in failed)
        raise PreflightError(f"The run was not begun. {told} (--skip-checks begins it all the same.)")
