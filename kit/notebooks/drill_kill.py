"""Killing a run the way a machine does: every process of it at one instant, or only the one that trains."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path

import psutil

MACHINE, KERNEL = "machine", "kernel"
"""What is killed: everything at once, or the training process alone, whose watchdog then finalises."""
GONE_WITHIN_S = 10.0
LOOK_EVERY_S = 0.02


class ProcessTree:
    """A launched command with all that it started: papermill, kernel, watchdog, drawing process, workers.

    They are in sessions of their own, so no signal to a group reaches them all.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    def members(self) -> list[psutil.Process]:
        """Return the processes that are there now, the command first."""
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return [self._root]

    def member(self, pid: int) -> psutil.Process | None:
        """Return the process ``pid`` if it is one of the tree and alive."""
        found = [process for process in self.members() if process.pid == pid and _alive(process)]
        return found[0] if found else None

    def freeze(self) -> list[psutil.Process]:
        """Stop them all, so that none reacts to the end of another; return them, the command first."""
        frozen: dict[int, psutil.Process] = {}
        while new := [process for process in self.members() if process.pid not in frozen]:
            for process in new:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.suspend()
                frozen[process.pid] = process
        return list(frozen.values())

    def thaw(self) -> None:
        """Let them go on."""
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def kill(self) -> None:
        """SIGKILL them all at once and wait until none is left."""
        kill_all(self.freeze())


def kill_all(processes: list[psutil.Process]) -> None:
    """SIGKILL processes and wait until they are gone (a zombie is); clear what notebook runners keep elsewhere."""
    left_over = _work_folders(processes)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for process in processes:
        for _ in range(round(GONE_WITHIN_S / LOOK_EVERY_S)):
            if not _alive(process):
                break
            threading.Event().wait(LOOK_EVERY_S)  # not process.wait: the command's exit code is its parent's
    for folder in left_over:
        shutil.rmtree(folder, ignore_errors=True)


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _work_folders(processes: list[psutil.Process]) -> list[Path]:
    """Return the private folders of the notebook runners among them, which nobody clears after a SIGKILL."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if "kit.notebooks.child" in words:
                found.append(Path(words[-1]).parent)
    return found


def training_process(lock: Path, tree: ProcessTree) -> psutil.Process | None:
    """Return the process that holds a run's session, if it is one of ``tree``."""
    try:
        text = lock.read_text().strip()
    except OSError:
        return None
    return tree.member(int(text)) if text.isdigit() else None
