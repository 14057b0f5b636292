"""A rehearsal: a pushed kernel runs on a stand-in for the Kaggle machine, is killed like there, and leaves as much.

What is the same: the folders, papermill and nbconvert, the exit codes, the log, the limits of time, memory and disk,
and the SIGKILL with no warning at the time limit. What is not: Kaggle's image, its GPUs and its pace.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

from kit.errors import NotebookError, StorageError, UsageError
from kit.harness.clock import SYSTEM_CLOCK
from kit.notebooks.locate import repository_root
from kit.remote.dwellers import end_dwellers
from kit.remote.kernel_log import KernelLog, read_log
from kit.remote.machine_order import NAMESPACES, REDIRECTED, Isolation, MachineOrder, Verdict
from kit.remote.survivors import give_back, keep_files_only, lay_read_only

logger = logging.getLogger(__name__)

KAGGLE_MEMORY_BYTES = 30 * 10**9
KAGGLE_DISK_BYTES = 20 * 10**9
TOO_LONG = "Your notebook was stopped because it exceeded the max allowed execution duration."
TOO_MUCH_MEMORY = "Your notebook tried to allocate more memory than is available."
PUMPED_WITHIN_S = 10.0
Status = Literal["COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED"]
Process: TypeAlias = "subprocess.Popen[bytes]"


@dataclass(frozen=True)
class RehearsalOrder:
    """One run to rehearse.

    Attributes:
        kernel: a folder with ``kernel-metadata.json`` and the code file, a notebook.
        limit_s: seconds from the creation of process 1 to the kill.
        inputs: name below ``/kaggle/input``, ``slug`` or ``slug/runs/name``, to what is there, read-only.
        out: a folder, new or empty, that gets ``working`` and the log.
        memory_bytes: what all processes may hold together.
        disk_bytes: what ``/kaggle/working`` may hold. Up to 1 GiB it is a file system of that size.
        isolation: ``namespaces`` or ``redirected``; None for the first where it is allowed, else the second.
    """

    kernel: Path
    limit_s: float
    inputs: Mapping[str, Path]
    out: Path
    memory_bytes: int = KAGGLE_MEMORY_BYTES
    disk_bytes: int = KAGGLE_DISK_BYTES
    isolation: Isolation | None = None

    def __post_init__(self) -> None:
        check_limit(self.limit_s)
        for name, path in self.inputs.items():
            parts = PurePosixPath(name)
            if not name or parts.is_absolute() or {"..", "."} & set(name.split("/")):
                raise UsageError(f"{name!r} is no name below /kaggle/input. Legal: slug, slug/runs/name.")
            if not path.is_dir():
                raise UsageError(f"The input {name!r} is no folder: {path}.")


@dataclass(frozen=True)
class Rehearsal:
    """How it ended, in Kaggle's words, and what survived.

    ``log`` holds records ``{"stream_name", "time" (s), "data"}``, as ``log_file`` does; ``isolation`` is how the
    machine was made and ``elapsed_s`` how long its first process lived.
    """

    status: Status
    exit_code: int
    failure_message: str
    log: list[dict[str, Any]]
    working: Path
    log_file: Path
    isolation: Isolation
    elapsed_s: float


def check_limit(limit_s: float) -> None:
    """Raise UsageError where a rehearsal cannot last that long: no time at all, or for ever."""
    if not (math.isfinite(limit_s) and limit_s > 0):
        raise UsageError(f"The limit of a rehearsal must be longer than zero, not {limit_s} s.")


def rehearse(order: RehearsalOrder) -> Rehearsal:
    """Run the kernel to its end, or to its limit, and return what would have come back.

    The log, ``<slug>.log`` in ``order.out``, can be read while it is written: see ``kernel_log.read_log``. When this
    process ends before the run does, everything of the run is killed.

    Raises:
        UsageError: the folder holds no kernel, or ``out`` holds something.
        StorageError: ``out`` cannot be written.
        NotebookError: the machine cannot be made, or what plays it was killed.
    """
    notebook, metadata = read_kernel(order.kernel)
    out = _prepared(order.out)
    log_file = out / f"{str(metadata['id']).rpartition('/')[2]}.log"
    wanted: list[Isolation] = [order.isolation] if order.isolation else [NAMESPACES, REDIRECTED]
    verdict, isolation = Verdict("setup"), wanted[0]
    for isolation in wanted:
        verdict = _play(order, notebook, metadata, out, log_file, isolation)
        if verdict.ended_by != "setup":
            break
        logger.info("No machine with %s: %s.", isolation, verdict.why)
    else:
        raise NotebookError(f"No machine can be made for the rehearsal: {verdict.why}.")
    keep_files_only(out / "working")
    return _rehearsal(verdict, order, out / "working", log_file, isolation)


def read_kernel(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the notebook of a kernel's folder, and its metadata.

    Raises:
        UsageError: the metadata is missing, is no JSON, or names no notebook that is there.
    """
    path = folder / "kernel-metadata.json"
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{folder} is no kernel's folder: {path.name}: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{path} is not valid JSON: {error}.") from error
    missing = [
        name for name in ("id", "code_file") if not (isinstance(metadata, dict) and metadata.get(name))
    ]
    if missing:
        raise UsageError(f"{path} has no {missing[0]!r}.")
    notebook = folder / str(metadata["code_file"])
    if notebook.suffix != ".ipynb" or not notebook.is_file():
        raise UsageError(f"The code file that {path} names is no notebook that is there: {notebook}.")
    return notebook.absolute(), metadata


def _prepared(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise UsageError(f"{out} is not empty. Give a folder for the rehearsal that is new or empty.")
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error
    return out.resolve()


def _play(
    order: RehearsalOrder,
    notebook: Path,
    metadata: Mapping[str, Any],
    out: Path,
    log_file: Path,
    isolation: Isolation,
) -> Verdict:
    """Have a machine play the run, and leave ``working`` and the log in ``out``, nothing else."""
    stage = out / ".machine"
    for name in ("kaggle/working", "tmp/home"):
        (stage / name).mkdir(parents=True)
    machine = MachineOrder(
        notebook=str(notebook),
        inputs={name: str(path.resolve()) for name, path in order.inputs.items()},
        stage=str(stage),
        limit_s=order.limit_s,
        memory_bytes=order.memory_bytes,
        disk_bytes=order.disk_bytes,
        internet=bool(metadata.get("enable_internet", True)),
        gpu=bool(metadata.get("enable_gpu", False)),
        isolation=isolation,
        parent=os.getpid(),
    )
    try:
        if isolation == REDIRECTED:
            lay_read_only(machine.inputs, machine.kaggle / "input")
        verdict = _run(machine, log_file)
        if verdict.ended_by != "setup":
            came_back = machine.rescued if machine.rescued.exists() else machine.working
            came_back.rename(out / "working")
        return verdict
    finally:
        give_back(machine.kaggle / "input")
        shutil.rmtree(stage, ignore_errors=True)


def _run(machine: MachineOrder, log_file: Path) -> Verdict:
    path = os.pathsep.join(filter(None, [str(repository_root()), os.environ.get("PYTHONPATH", "")]))
    began_s = SYSTEM_CLOCK.monotonic()
    with KernelLog(log_file, began_s) as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kit.remote.machine", str(machine.write())],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        pumps = [log.pump("stdout", process.stdout), log.pump("stderr", process.stderr)]
        try:
            process.wait()
        finally:
            _end(process)
            if machine.isolation == REDIRECTED:
                end_dwellers(Path(machine.stage))
            for pump in pumps:
                pump.join(PUMPED_WITHIN_S)
    try:
        return Verdict.read(machine.verdict)
    except OSError:
        ended = f"with exit code {process.returncode}"
        raise NotebookError(
            f"What plays the machine ended {ended} before the run did; see {log_file}."
        ) from None


def _end(process: Process) -> None:
    """End the machine's process, which then kills what it has started; it is killed itself where it does not."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PUMPED_WITHIN_S)
        process.kill()
        process.wait()


def _rehearsal(
    verdict: Verdict, order: RehearsalOrder, working: Path, log_file: Path, isolation: Isolation
) -> Rehearsal:
    message = {
        "time": TOO_LONG,
        "memory": TOO_MUCH_MEMORY,
        "disk": f"Your notebook wrote more than {order.disk_bytes:,} bytes into /kaggle/working.",
    }.get(verdict.ended_by, "")
    status: Status = "COMPLETE" if verdict.ended_by == "itself" and verdict.exit_code == 0 else "ERROR"
    if verdict.ended_by == "time":
        status = "CANCEL_ACKNOWLEDGED"
    return Rehearsal(
        status=status,
        exit_code=verdict.exit_code,
        failure_message=message,
        log=read_log(log_file),
        working=working,
        log_file=log_file,
        isolation=isolation,
        elapsed_s=verdict.elapsed_s,
    )
