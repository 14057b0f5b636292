"""Packaging by hand: a summary and an archive of whatever a dead run left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kit.errors import UsageError
from kit.harness.finalise import finalise_from_disk, repackage
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder
from kit.harness.summary import COMPLETE, FAILED, STOPPED, SessionLedger, read_json
from kit.report import write_report


def package_run(path: Path) -> dict[str, Any]:
    """Make the archive of the run folder at ``path`` and return the summary.

    A run that was finalised keeps its summary; one that died gets one from what is on disk.

    Raises:
        UsageError: it is no run folder.
        RunLockedError: a session has the run open.
    """
    folder = RunFolder(path)
    if not read_json(folder.run_json):
        raise UsageError(f"{path} is not a run folder: it has no run.json.")
    with FileLock(folder.lock).acquire():
        summary = read_json(folder.summary)
        if summary.get("status") not in (COMPLETE, STOPPED, FAILED) or SessionLedger(folder).unfinished:
            summary = finalise_from_disk(
                folder, status=FAILED, reason="the run died; packaged from what it left"
            )
        write_report(folder.root)
        repackage(folder)
    return {**summary, "run_dir": str(path)}
