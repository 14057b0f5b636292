"""How a run ended, judged from the evidence alone."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from kit.errors import NotebookError
from kit.notebooks import evidence

Status = Literal["completed", "failed", "kernel_died", "skipped_cells", "killed"]
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
EARLY_EXIT = frozenset({"", "0", "None"})
WORDS: dict[Status, str] = {
    "completed": "completed",
    "failed": "failed",
    "kernel_died": "lost its kernel",
    "skipped_cells": "left cells out",
    "killed": "was killed",
}


@dataclass(frozen=True)
class NotebookOutcome:
    """How a notebook run ended.

    ``status``: completed (every cell ran and the kernel answered ok), failed (a cell raised, or the runner
    could not do its work), kernel_died (the kernel's process ended, whoever ended it), skipped_cells (cells
    were left out, by ``sys.exit()`` or by a tag), killed (the runner's own process was ended from outside).
    ``failed_cell`` counts all cells of the source notebook from 0: the one that raised, was running, or was
    the first left out. ``exit_code_of_process`` is that of the runner's process, ``kernel_exit_code`` that of
    the kernel's where it died by itself; both are negative for a signal and None where unknown. ``cells_run``
    of ``cells_expected`` code cells came to their end.
    """

    status: Status
    error_name: str = ""
    error_value: str = ""
    traceback: str = ""
    failed_cell: int | None = None
    exit_code_of_process: int | None = None
    kernel_exit_code: int | None = None
    cells_run: int = 0
    cells_expected: int = 0

    @property
    def completed(self) -> bool:
        """Whether every cell ran to its end."""
        return self.status == "completed"

    def raise_for_status(self) -> None:
        """Raise NotebookError, with cell, error and traceback, unless the run completed."""
        if self.completed:
            return
        where = "" if self.failed_cell is None else f" at cell {self.failed_cell}"
        ran = f"{self.cells_run} of {self.cells_expected} code cells ran"
        what = f"{self.error_name}: {self.error_value}"
        raise NotebookError(
            f"Notebook {WORDS[self.status]}{where} ({ran}). {what}\n{self.traceback}".rstrip()
        )


def judge(
    events: Sequence[Mapping[str, Any]], expected: Sequence[int], exit_code: int | None, log_tail: str = ""
) -> NotebookOutcome:
    """Return the outcome that ``events`` prove.

    ``expected`` are the cells a complete run executes, ``exit_code`` is the runner's, ``log_tail`` the end of
    its log. Completed needs an ``ok`` from the kernel for each expected cell and the runner's own end; once
    that is recorded the exit code adds nothing.
    """
    ran = {event["cell"] for event in _named(events, evidence.CELL_FINISHED) if event["reply"] == "ok"}
    missing = [cell for cell in expected if cell not in ran]
    whole = NotebookOutcome(
        "completed",
        exit_code_of_process=exit_code,
        cells_run=len(expected) - len(missing),
        cells_expected=len(expected),
    )
    for event in _named(events, evidence.CELL_FINISHED):
        if event["reply"] != "ok":
            return replace(whole, **_raised(event, missing))
    for event in _named(events, evidence.KERNEL_DIED):
        before_any = not _named(events, evidence.CELL_STARTED)
        died = _died(event["exit_code"], log_tail if before_any else "")
        return replace(whole, failed_cell=_running(events), **died)
    if not _named(events, evidence.ENDED):
        return replace(whole, failed_cell=_running(events), **_broken_off(exit_code, log_tail))
    if missing:
        return replace(whole, failed_cell=missing[0], **_left_out(missing))
    for event in _named(events, evidence.UNSAVED):
        return replace(whole, status="failed", error_name="StorageError", error_value=event["error_value"])
    return whole


def describe_exit(code: int | None) -> str:
    """Return an exit code in words; a negative one is a signal."""
    if code is None:
        return "ended in an unknown way"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"exited with code {code}"


def _named(events: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    return [event for event in events if event["event"] == name]


def _raised(event: Mapping[str, Any], missing: Sequence[int]) -> dict[str, Any]:
    left_out = [cell for cell in missing if cell != event["cell"]]
    early = event["error_name"] == "SystemExit" and event["error_value"] in EARLY_EXIT and left_out
    return {
        "status": "skipped_cells" if early else "failed",
        "error_name": event["error_name"] or f"Reply{str(event['reply']).capitalize()}",
        "error_value": event["error_value"],
        "traceback": ANSI.sub("", event["traceback"]),
        "failed_cell": event["cell"],
    }


def _running(events: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the cell that was started and never finished, or None between cells."""
    running: int | None = None
    for event in events:
        if event["event"] == evidence.CELL_STARTED:
            running = event["cell"]
        elif event["event"] == evidence.CELL_FINISHED:
            running = None
    return running


def _died(exit_code: int | None, log_tail: str) -> dict[str, Any]:
    return {
        "status": "kernel_died",
        "error_name": "DeadKernelError",
        "error_value": f"the kernel's process {describe_exit(exit_code)}",
        "traceback": log_tail,
        "kernel_exit_code": exit_code,
    }


def _left_out(missing: Sequence[int]) -> dict[str, Any]:
    return {
        "status": "skipped_cells",
        "error_name": "SkippedCells",
        "error_value": f"never ran: cells {', '.join(map(str, missing))}",
    }


def _broken_off(exit_code: int | None, log_tail: str) -> dict[str, Any]:
    by_itself = exit_code is not None and exit_code >= 0
    return {
        "status": "failed" if by_itself else "killed",
        "error_name": "RunnerError" if by_itself else "RunnerKilled",
        "error_value": f"the process that runs the notebook {describe_exit(exit_code)}",
        "traceback": log_tail if by_itself else "",
    }
