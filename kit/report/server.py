"""The drawing process that stays: matplotlib is imported once, then every request costs only the drawing.

Requests are lines on standard input: ``figures`` draws the figures anew, ``report`` also writes report.html.
Answers are lines on standard output: ``figures done``, ``report done``, or ``… failed: why`` where the disk
refused. The process ends when its input does, so it cannot outlive the run that started it.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TextIO

from kit.errors import StorageError
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder
from kit.report.figures import draw_all
from kit.report.html import write_report
from kit.report.tensorboard import write_tensorboard

logger = logging.getLogger(__name__)

REQUESTS = ("figures", "report")


def serve(
    run_dir: Path, requests: int, answers: TextIO, *, tensorboard: bool = False, parent: int = 0
) -> None:
    """Answer requests until the input ends.

    Requests that came while it was drawing are answered by one drawing: who asks often waits for no queue.

    Args:
        run_dir: the run folder.
        requests: the file descriptor to read requests from.
        answers: where each request is answered by a line.
        tensorboard: whether every drawing also writes the TensorBoard log.
        parent: the process whose requests these are; once it is gone nothing is drawn any more, since what it left is
            being archived.
    """
    rest = b""
    while chunk := os.read(requests, 65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        asked = [line.decode("utf-8", errors="replace").strip() for line in lines]
        outcome = ""
        if not set(asked).isdisjoint(REQUESTS):
            with FileLock(RunFolder(run_dir).drawing):
                if parent and os.getppid() != parent:
                    return
                outcome = _try(run_dir, report="report" in asked, tensorboard=tensorboard)
        for request in filter(None, asked):
            answers.write(f"{request} {outcome if request in REQUESTS else 'failed: unknown request'}\n")
        answers.flush()


def _try(run_dir: Path, *, report: bool, tensorboard: bool) -> str:
    """Draw, and say how it went; a full disk now may have room at the next request."""
    try:
        if tensorboard:
            write_tensorboard(run_dir)
        if report:
            write_report(run_dir)
        else:
            draw_all(run_dir)
    except StorageError as error:
        logger.warning("%s", error)
        return f"failed: {' '.join(str(error).split())}"
    return "done"
