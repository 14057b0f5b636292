"""Runs a notebook in a process of its own and says honestly how that ended."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from kit.errors import MissingDependencyError, StorageError
from kit.harness.child_environment import with_the_kit
from kit.harness.store import atomic_write
from kit.notebooks.document import Document
from kit.notebooks.evidence import KERNEL, Evidence
from kit.notebooks.orphan import end_kernel
from kit.notebooks.outcome import NotebookOutcome, judge
from kit.notebooks.parameters import check_values, read_parameters
from kit.notebooks.request import Request

logger = logging.getLogger(__name__)

TICK_S = 0.1
LOG_TAIL_BYTES = 4_000
NEEDED = ("papermill", "ipykernel", "nbformat")

Process: TypeAlias = "subprocess.Popen[bytes]"


def run_notebook(
    path: Path,
    parameters: Mapping[str, Any],
    output: Path,
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    on_tick: Callable[[], None] | None = None,
    stop_file: Path | None = None,
) -> NotebookOutcome:
    """Run the notebook at ``path`` with ``parameters`` and return how it ended.

    papermill runs in a child process in a session of its own: signals to this process never reach it, so the
    caller stops a training by writing ``stop_file``, which the notebook's session watches. The same file is
    written when this process dies (within 1 s) and when ``on_tick`` raises; in that case the run is waited
    for and the exception raised then. Without a ``stop_file`` the running cell is interrupted instead.

    The executed notebook is saved as ``<stem>.partial.ipynb`` beside ``output`` while it runs (atomically, at
    the start and end of each cell and at most every 30 s in between) and moved to ``output`` at the end;
    whatever happens to the child, the newest save ends there.

    Args:
        path: The notebook; it has exactly one cell tagged ``parameters``.
        parameters: Values for that cell, of the types of its defaults; the rest keep their defaults.
        output: Where the executed notebook goes; its folder is made.
        log: A file that gets, appended, what papermill and the kernel say outside of cells.
        env: Environment variables on top of this process's own. ``OMP_WAIT_POLICY`` is PASSIVE unless set
            somewhere; ``PYTHONPATH`` gains the folder of the ``kit`` package.
        cwd: The notebook's working folder; by default this process's.
        on_tick: Called about ten times a second while the notebook runs.
        stop_file: A file whose existence asks the training to stop at its next safe boundary.

    Raises:
        UsageError: The notebook or a value cannot be used; UnknownNameError for an unknown parameter.
        MissingDependencyError: papermill, nbformat or ipykernel is not installed.
        StorageError: The folder of ``output`` or ``log`` cannot be written.
    """
    values = check_values(parameters, read_parameters(path))
    document = Document.read(path)
    _require(NEEDED)
    output, log = output.absolute(), log.absolute()
    work = Path(tempfile.mkdtemp(prefix="kit-notebook-"))
    request = Request(
        notebook=str(path.absolute()),
        parameters=values,
        parameters_cell=document.parameters_cell.index,
        output=str(output),
        partial=str(output.with_name(f"{output.stem}.partial.ipynb")),
        work=str(work),
        stop_file=str(stop_file.absolute()) if stop_file else "",
        parent=os.getpid(),
    )
    try:
        logged = log.stat().st_size if log.exists() else 0
        process = _start(request, log, environment(env or {}), cwd or Path.cwd())
        _wait(process, on_tick, stop_file)
        return _conclude(request, document, process.returncode, _tail(log, logged))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _require(modules: Iterable[str]) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"Running a notebook needs {', '.join(missing)}: "
            f"{sys.executable} -m pip install {' '.join(missing)}"
        )


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return a child's environment.

    Spinning OpenMP threads slow small models down many times over. Strings hash the same in every session of a run:
    the order of a set of names, which may decide a simulator's sums, is another with every seed of the hash.
    """
    return with_the_kit({"OMP_WAIT_POLICY": "PASSIVE", "PYTHONHASHSEED": "0", **os.environ, **extra})


def _start(request: Request, log: Path, environment: dict[str, str], cwd: Path) -> Process:
    try:
        Path(request.output).parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        Path(request.partial).unlink(missing_ok=True)
        with log.open("ab") as sink:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "kit.notebooks.child", str(request.write())],
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise StorageError(f"The notebook cannot be started: {error.filename}: {error.strerror}.") from error


def _wait(process: Process, on_tick: Callable[[], None] | None, stop_file: Path | None) -> None:
    try:
        while not _ended_within(process, TICK_S):
            if on_tick is not None:
                on_tick()
    except BaseException as error:
        # The caller's own exception, or an interrupt. Nothing is left running unseen: stop it, then go on.
        logger.warning("Stopping the notebook because of %s", type(error).__name__)
        if stop_file is not None:
            atomic_write(stop_file, f"{type(error).__name__} in the command that started this run\n")
        else:
            process.send_signal(signal.SIGTERM)
        process.wait()
        raise


def _ended_within(process: Process, seconds: float) -> bool:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _conclude(request: Request, document: Document, exit_code: int, log_tail: str) -> NotebookOutcome:
    events = Evidence(request.evidence).events()
    if exit_code != 0:
        for event in events:
            if event["event"] == KERNEL:
                end_kernel(event["pid"], event["created"])
        partial = Path(request.partial)
        if partial.exists():
            partial.replace(request.output)
    return judge(events, document.cells_to_run(), exit_code, log_tail)


def _tail(log: Path, start: int) -> str:
    """Return the end of what this run, which began at byte ``start``, wrote into ``log``."""
    with log.open("rb") as lines:
        size = lines.seek(0, os.SEEK_END)
        lines.seek(max(start, size - LOG_TAIL_BYTES))
        return lines.read().decode(errors="replace")
