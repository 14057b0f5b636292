"""Layer 3 from disk alone: a summary and an archive of whatever a run left, with or without its process."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from kit.harness.archive import ArchiveRef, package
from kit.harness.checkpoints import CheckpointStore
from kit.harness.lock import FileLock, end_holder
from kit.harness.run_folder import RunFolder
from kit.harness.summary import FAILED, STOPPED, SessionLedger, read_json, write_json
from kit.harness.verify import is_whole


def finalise_from_disk(
    folder: RunFolder,
    *,
    status: str,
    reason: str,
    session: int | None = None,
    elapsed_s: float | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write summary.json from the newest good checkpoint and run.json, then the archive; return the summary.

    ``elapsed_s`` (seconds) is credited to ``session``, or to the last one; one that never ended has its time up
    to the last heartbeat anyway. Used by the watchdog after the hard
    deadline or the death of the training process, and by ``package`` on whatever a dead run left.
    """
    # The run's drawing process may have outlived it: what it drew now would not be what is archived.
    end_holder(folder.drawing)
    with FileLock(folder.finalising), FileLock(folder.drawing):
        ledger = SessionLedger(folder)
        ledger.credit_unfinished()
        for entry in ledger.entries:
            if entry.session == (session or len(ledger.entries)):
                entry.elapsed_s = max(entry.elapsed_s, elapsed_s or 0.0)
                entry.end = reason
        if ledger.entries:
            ledger.save()
        summary = summary_from_disk(folder, status=status, reason=reason, more=more)
        write_json(folder.summary, summary)
        package(folder.root)
        return summary


def summary_from_disk(
    folder: RunFolder, *, status: str, reason: str, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the summary that the files support: the step is that of the newest checkpoint that verifies."""
    run = read_json(folder.run_json)
    ledger = SessionLedger(folder)
    newest = CheckpointStore(folder.checkpoints, str(run.get("config_hash", ""))).newest()
    before = read_json(folder.summary)
    total = run.get("total_timesteps", 0)
    return {
        "status": status,
        "reason": reason,
        "step": newest.step if newest else 0,
        "total_timesteps": total,
        "requested_timesteps": run.get("requested_timesteps", total),
        "elapsed_s": round(ledger.elapsed_s, 3),
        "sessions": len(ledger.entries),
        "exact": bool(newest.exact) if newest else None,
        "inexact_reason": newest.extra.get("inexact_reason") if newest else None,
        "forecast": run.get("forecast") or before.get("forecast"),
        "peaks": read_json(folder.peaks) or before.get("peaks"),
        "resumable": status in (STOPPED, FAILED) and newest is not None,
        "notebook": run.get("notebook"),
        "config_hash": run.get("config_hash"),
        **(more or {}),
    }


def finalise_again(
    folder: RunFolder, summary: Mapping[str, Any], report: Callable[[], object] | None = None
) -> ArchiveRef:
    """Write ``summary``, the report and the archive that holds them, under one lock."""
    with FileLock(folder.finalising):
        write_json(folder.summary, summary)
        if report is not None:
            report()
        return package(folder.root)


def repackage(folder: RunFolder) -> ArchiveRef:
    """Make the archive again, after a file was added to the folder."""
    with FileLock(folder.finalising):
        return package(folder.root)


def is_archived(folder: RunFolder) -> bool:
    """Whether layer 3 was finished: the archive is sound and holds summary and notebook as they lie beside it."""
    if folder.partial.exists() or not folder.archive.exists():
        return False
    if not folder.archive.with_name(f"{folder.archive.name}.sha256").exists() or not is_whole(folder.archive):
        return False
    final = [path for path in (folder.summary, folder.executed) if path.exists()]
    with zipfile.ZipFile(folder.archive) as archive:
        there = set(archive.namelist())
        return all(path.name in there and archive.read(path.name) == path.read_bytes() for path in final)
