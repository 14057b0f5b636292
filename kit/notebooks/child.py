"""The process that runs a notebook through papermill: ``python -m kit.notebooks.child REQUEST``.

A session of its own, so that what a terminal or a supervisor sends to the command line never reaches
papermill.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import psutil

from kit.errors import StorageError
from kit.harness.store import atomic_write
from kit.notebooks.evidence import CELL_FINISHED, CELL_STARTED, ENDED, KERNEL, KERNEL_DIED, UNSAVED, Evidence
from kit.notebooks.kernel import Kernel
from kit.notebooks.request import Request
from kit.notebooks.stop import StopAsker

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 300  # a loaded machine may be slow to start a kernel; a dead one is noticed at once
IOPUB_TIMEOUT_S = 60  # after a cell's reply; then the run goes on without the rest of its output


class NotebookSaver:
    """How papermill writes the executed notebook: atomically, and never ending a run because it could not.

    ``error`` says why the newest save failed, and is empty where it did not.
    """

    def __init__(self) -> None:
        self.error = ""

    def write(self, text: str, path: str) -> None:
        """Replace ``path`` by ``text``, or keep what was there."""
        try:
            atomic_write(Path(path), text)
            self.error = ""
        except StorageError as error:
            self.error = str(error)
            logger.warning("The executed notebook was not saved: %s", error)

    def read(self, path: str) -> str:
        """Return the text at ``path``."""
        return Path(path).read_text(encoding="utf-8")

    def pretty_path(self, path: str) -> str:
        """Return ``path`` for papermill's log."""
        return path


class CellRecorder:
    """Turns nbclient's hooks into evidence."""

    def __init__(self, evidence: Evidence, request: Request) -> None:
        self._evidence = evidence
        self._request = request

    def started(self, *, cell_index: int, **_: Any) -> None:
        """Record that a cell goes to the kernel."""
        self._evidence.record(CELL_STARTED, cell=self._request.source_cell(cell_index))

    def finished(self, *, cell_index: int, execute_reply: dict[str, Any], **_: Any) -> None:
        """Record what the kernel answered."""
        content = execute_reply["content"]
        self._evidence.record(
            CELL_FINISHED,
            cell=self._request.source_cell(cell_index),
            reply=content["status"],
            error_name=str(content.get("ename", "")),
            error_value=str(content.get("evalue", "")),
            traceback="\n".join(content.get("traceback", ())),
        )


def execute(request: Request, kernel: Kernel, evidence: Evidence) -> NotebookSaver:
    """Run the notebook in ``kernel``, recording each cell; one that raises ends it without an exception here.

    papermill is imported only now, while the kernel is starting.
    """
    import papermill
    from papermill.iorw import papermill_io

    saver, recorder = NotebookSaver(), CellRecorder(evidence, request)
    papermill_io.register(request.partial, saver)
    try:
        papermill.execute_notebook(
            _unformatted(request.notebook),
            _unformatted(request.partial),
            parameters=request.parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=START_TIMEOUT_S,
            km=kernel.manager,
            iopub_timeout=IOPUB_TIMEOUT_S,
            raise_on_iopub_timeout=False,
            shell_timeout_interval=1,
            force_raise_errors=True,
            on_cell_execute=recorder.started,
            on_cell_executed=recorder.finished,
        )
    except papermill.PapermillExecutionError as error:
        logger.info("Cell %s raised %s", error.exec_count, error.ename)
    except RuntimeError:
        if kernel.exit_code is None:
            raise
        evidence.record(KERNEL_DIED, exit_code=kernel.exit_code)
    return saver


def _unformatted(path: str) -> str:
    """Return ``path`` such that papermill, which takes it for a format string, arrives at ``path`` again."""
    return path.replace("{", "{{").replace("}", "}}")


def run(request: Request) -> None:
    """Run ``request`` to its end, whatever that is, and leave the evidence of it."""
    evidence = Evidence(request.evidence)
    kernel = Kernel(Path(request.work))
    evidence.record(KERNEL, pid=kernel.process.pid, created=psutil.Process(kernel.process.pid).create_time())
    stop = StopAsker(request.stop_file, kernel.process.pid, request.parent)
    stop.watch()
    try:
        saver = execute(request, kernel, evidence)
    finally:
        kernel.shut_down()
    if saver.error:
        evidence.record(UNSAVED, error_value=saver.error)
    else:
        Path(request.partial).replace(request.output)
    evidence.record(ENDED)
    if stop.orphaned:
        shutil.rmtree(request.work, ignore_errors=True)


def main() -> None:
    """Run the request whose path is the one argument."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    run(Request.read(Path(sys.argv[1])))
    logging.shutdown()
    # Everything is on disk: leave without tearing zmq down, where a hang would keep the command line waiting.
    os._exit(0)


if __name__ == "__main__":
    main()
