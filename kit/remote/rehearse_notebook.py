"""``rehearse NOTEBOOK``: builds what a push would push, plays the run, and takes home what would have come back.

The run folder is continued by the same command again: it is attached to the next rehearsal as the output of a former
version is to the next one on Kaggle. ``run`` and ``package`` take it like one of their own.
"""

from __future__ import annotations

import glob
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.errors import NotebookError, StorageError
from kit.harness.checkpoints import CheckpointStore
from kit.harness.config import describe, refuse_other_config
from kit.harness.deadline import format_duration
from kit.harness.finalise import finalise_from_disk, repackage
from kit.harness.lock import FileLock
from kit.harness.run_folder import OWN, RunFolder, move_aside
from kit.harness.store import committed_directory
from kit.harness.summary import COMPLETE, FAILED, STOPPED, SessionLedger, read_summary
from kit.opening import folder_of
from kit.remote.kernel import KernelOrder, build_kernel
from kit.remote.rehearse import (
    KAGGLE_DISK_BYTES,
    KAGGLE_MEMORY_BYTES,
    Rehearsal,
    RehearsalOrder,
    check_limit,
    read_kernel,
    rehearse,
)
from kit.remote.survivors import give_back
from kit.report import write_report
from kit.run_record import read_run

logger = logging.getLogger(__name__)

LOG = "logs/kaggle.log"
OWNER = "rehearsal"
TAIL_CHARACTERS = 2_000


@dataclass(frozen=True)
class NotebookRehearsal:
    """What to rehearse.

    Attributes:
        notebook: the notebook.
        limit_s: what the machine grants, seconds; the session in it stops in time before.
        values: the notebook's parameters that are set.
        out: the run folder; empty for ``runs/<notebook>-rehearsal``.
        fresh: move a run that is there aside and begin anew.
        memory_bytes: what the machine's processes may hold.
        disk_bytes: what ``/kaggle/working`` may hold.
        told_s: what the session is told that the machine grants, seconds; None: ``limit_s``. Kaggle has ended runs at
            3.91 h that were promised 12.
    """

    notebook: Path
    limit_s: float
    values: Mapping[str, Any] = field(default_factory=dict)
    out: str = ""
    fresh: bool = False
    memory_bytes: int = KAGGLE_MEMORY_BYTES
    disk_bytes: int = KAGGLE_DISK_BYTES
    told_s: float | None = None

    def __post_init__(self) -> None:
        check_limit(self.limit_s)

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return folder_of(f"{self.notebook.stem}-rehearsal", self.out, quick_test=False)


Build = Callable[[NotebookRehearsal, Path], Path]
"""Builds the kernel of a rehearsal into a folder that is not there yet, and returns it."""


def pushed_kernel(order: NotebookRehearsal, folder: Path) -> Path:
    """Build what a push with this session limit would push; packages that Kaggle's image lacks are warned of."""
    told_s = order.limit_s if order.told_s is None else order.told_s
    kernel = KernelOrder(order.notebook, OWNER, order.values, session_limit_s=told_s)
    built = build_kernel(kernel, folder)
    if built.missing:
        names = ", ".join(str(one) for one in built.missing)
        logger.warning("Kaggle's image lacks %s: a push would be refused. Here it is installed.", names)
    return built.folder


def rehearse_notebook(order: NotebookRehearsal, build: Build = pushed_kernel) -> dict[str, Any]:
    """Rehearse one session and return the summary of the run, with ``run_dir`` and ``rehearsal``.

    ``rehearsal`` holds ``status``, ``exit_code``, ``failure_message``, ``limit_s``, ``elapsed_s`` (all seconds),
    ``isolation`` and ``log``. A run that is complete already is returned as it is, with None there.

    Raises:
        UsageError: a parameter or the folder cannot be used.
        ConfigMismatchError: the folder holds a run with other settings; it is untouched.
        RunLockedError: another process has the run open.
        NotebookError: nothing came back that is a run.
    """
    folder = order.folder
    folder.refuse_foreign()
    if order.fresh and folder.holds_a_run():
        with FileLock(folder.lock).acquire():
            logger.warning("The run that was in %s is now in %s.", folder.root, move_aside(folder))
    _refuse_others(order, folder)
    there = read_summary(folder.summary)
    if there.get("status") == COMPLETE:
        return {**there, "run_dir": str(folder.root), "rehearsal": None}
    with FileLock(folder.launching).acquire(), _staging(folder) as staging:
        return _rehearse(order, build, folder, staging)


def exit_code(summary: Mapping[str, Any]) -> int:
    """Return 0 where the run is complete, 4 where another session continues it, 6 after the hard deadline, else 1.

    A run that was killed is failed, and yet continued from its last checkpoint: 4.
    """
    rehearsal = summary["rehearsal"]
    if summary["status"] == COMPLETE:
        return 0
    if summary["reason"] == "hard_deadline":
        return 6
    killed = rehearsal is not None and rehearsal["exit_code"] == 137
    return 4 if summary["status"] == STOPPED or (killed and summary.get("resumable")) else 1


def _refuse_others(order: NotebookRehearsal, folder: RunFolder) -> None:
    """Refuse settings that differ from those of the run that is there, as far as they were given."""
    known = read_run(folder).get("config", {})
    names = [name for name in order.values if name in known]
    asked = describe({name: order.values[name] for name in names})
    refuse_other_config(folder.root, {name: known[name] for name in names}, asked)


@contextmanager
def _staging(folder: RunFolder) -> Iterator[Path]:
    """Give a folder on the same disk; whatever a killed rehearsal of this run left beside it goes first."""
    prefix = f".{folder.root.name}.rehearsal-"
    try:
        for left in folder.root.parent.glob(f"{glob.escape(prefix)}*"):
            give_back(left)
        staging = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.root.parent))
    except OSError as error:
        raise StorageError(f"{folder.root.parent} cannot be written: {error.strerror}.") from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _rehearse(order: NotebookRehearsal, build: Build, folder: RunFolder, staging: Path) -> dict[str, Any]:
    kernel = build(order, staging / "kernel")
    before = folder.holds_a_run()
    slug = str(read_kernel(kernel)[1]["id"]).rpartition("/")[2]
    attached = {f"{slug}/runs/{order.notebook.stem}": folder.root} if before else {}
    found = rehearse(
        RehearsalOrder(kernel, order.limit_s, attached, staging / "out", order.memory_bytes, order.disk_bytes)
    )
    came = _run_in(found.working, order.notebook.stem)
    if came is not None and _is_further(came, folder):
        _take_home(came, found, folder)
    elif not before:
        raise NotebookError(_nothing_came(found))
    summary = _concluded(folder, found)
    return {**summary, "run_dir": str(folder.root), "rehearsal": _facts(found, order, folder)}


def _run_in(working: Path, name: str) -> RunFolder | None:
    """Return the run that lies where a session on Kaggle puts it; the notebook's own where there are several."""
    runs = [RunFolder(path) for path in sorted((working / "runs").glob("*"))]
    held = [run for run in runs if run.holds_a_run()]
    return min(held, key=lambda run: run.root.name != name, default=None)


def _is_further(came: RunFolder, folder: RunFolder) -> bool:
    """Whether what came back is to take the place of what is there: not where it lost what had been trained.

    Raises:
        ConfigMismatchError: it is a run of other settings.
    """
    there, new = read_run(folder), read_run(came)
    if not there:
        return True
    refuse_other_config(folder.root, there.get("config", {}), new.get("config", {}))
    return _newest_step(came) >= _newest_step(folder)


def _newest_step(folder: RunFolder) -> int:
    newest = CheckpointStore(folder.checkpoints, str(read_run(folder).get("config_hash", ""))).newest()
    return newest.step if newest else -1


def _take_home(came: RunFolder, found: Rehearsal, folder: RunFolder) -> None:
    """Let what came back, with its log and the executed notebook, take the place of what is there, in one step.

    Files that no run writes, and that lie there, stay.
    """
    with committed_directory(folder.root) as temporary:
        for path in came.root.iterdir():
            path.rename(temporary / path.name)
        for path in folder.root.iterdir():
            if path.name not in (*OWN, folder.control.name):
                _copy(path, temporary / path.name)
        home = RunFolder(temporary)
        log = temporary / LOG
        log.parent.mkdir(exist_ok=True)
        shutil.copyfile(found.log_file, log)
        executed = found.working / "__notebook__.ipynb"
        if executed.exists():
            shutil.copyfile(executed, home.executed)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _concluded(folder: RunFolder, found: Rehearsal) -> dict[str, Any]:
    """Return the summary; one is made where the session did not live to write it. The archive is made anew."""
    with FileLock(folder.lock).acquire():
        summary = read_summary(folder.summary)
        if not summary or SessionLedger(folder).unfinished:
            summary = finalise_from_disk(folder, status=FAILED, reason=_reason(found))
            write_report(folder.root)
        repackage(folder)
    return summary


def _reason(found: Rehearsal) -> str:
    if found.failure_message:
        return f"killed after {format_duration(round(found.elapsed_s, 1))}: {found.failure_message}"
    return f"the notebook ended with exit code {found.exit_code} and left the run unfinished"


def _nothing_came(found: Rehearsal) -> str:
    said = "".join(record["data"] for record in found.log)[-TAIL_CHARACTERS:]
    return (
        f"The rehearsal ended {found.status} with exit code {found.exit_code} after "
        f"{format_duration(round(found.elapsed_s, 1))}, and no run came back. {found.failure_message}\n{said}".rstrip()
    )


def _facts(found: Rehearsal, order: NotebookRehearsal, folder: RunFolder) -> dict[str, Any]:
    log = folder.root / LOG
    return {
        "status": found.status,
        "exit_code": found.exit_code,
        "failure_message": found.failure_message,
        "limit_s": order.limit_s,
        "elapsed_s": found.elapsed_s,
        "isolation": found.isolation,
        "log": str(log) if log.exists() else "",
    }
