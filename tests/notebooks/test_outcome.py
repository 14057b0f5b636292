from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.errors import NotebookError
from kit.notebooks.evidence import (
    CELL_FINISHED,
    CELL_STARTED,
    ENDED,
    KERNEL_DIED,
    UNSAVED,
    Evidence,
)
from kit.notebooks.outcome import judge


def started(cell: int | None) -> dict[str, Any]:
    """Return the event of a cell sent to the kernel."""
    return {"event": CELL_STARTED, "cell": cell}


def finished(cell: int | None, reply: str = "ok", name: str = "", value: str = "") -> dict[str, Any]:
    """Return the event of the kernel's answer to a cell."""
    return {
        "event": CELL_FINISHED,
        "cell": cell,
        "reply": reply,
        "error_name": name,
        "error_value": value,
        "traceback": "\x1b[0;31mred\x1b[0m",
    }


def ran(*cells: int | None) -> list[dict[str, Any]]:
    """Return the events of cells that ran to their end."""
    return [event for cell in cells for event in (started(cell), finished(cell))]


END = {"event": ENDED}


def test_completed_needs_an_answer_for_every_cell() -> None:
    """A run completed when the kernel answered ok for each expected cell and the runner ended by itself."""
    outcome = judge([*ran(0, None, 2, 3), END], [0, 2, 3], 0)
    assert outcome.completed
    assert (outcome.cells_run, outcome.cells_expected) == (3, 3)
    outcome.raise_for_status()


def test_a_cell_without_an_answer_is_a_skipped_cell() -> None:
    """Exit code 0 and a runner that ended do not make up for a cell that never ran."""
    outcome = judge([*ran(0, 3), END], [0, 2, 3], 0)
    assert (outcome.status, outcome.failed_cell) == ("skipped_cells", 2)


def test_an_aborted_cell_is_a_failure() -> None:
    """Only ``ok`` is ok: a reply that the kernel aborted the cell fails the run."""
    outcome = judge([*ran(0), started(2), finished(2, "aborted"), END], [0, 2], 0)
    assert (outcome.status, outcome.failed_cell, outcome.error_name) == ("failed", 2, "ReplyAborted")


@pytest.mark.parametrize(
    ("value", "cells", "status"),
    [
        ("0", [0, 2, 3], "skipped_cells"),
        ("", [0, 2, 3], "skipped_cells"),
        ("1", [0, 2, 3], "failed"),
        ("0", [0, 2], "failed"),
    ],
)
def test_leaving_a_notebook_early_never_completes_it(value: str, cells: list[int], status: str) -> None:
    """``sys.exit`` skips what follows; with a code, or in the last cell, it fails."""
    outcome = judge([*ran(0), started(2), finished(2, "error", "SystemExit", value), END], cells, 0)
    assert (outcome.status, outcome.failed_cell) == (status, 2)


def test_a_dead_kernel_is_a_failure_even_after_the_last_cell() -> None:
    """All cells answered, then the kernel died: that is not a completed run."""
    outcome = judge([*ran(0, 2), {"event": KERNEL_DIED, "exit_code": -9}, END], [0, 2], 0)
    assert (outcome.status, outcome.failed_cell, outcome.kernel_exit_code) == ("kernel_died", None, -9)
    assert "SIGKILL" in outcome.error_value


def test_a_kernel_that_never_started_shows_the_log() -> None:
    """A kernel that died before any cell leaves its reason in the log alone, so the outcome carries that."""
    outcome = judge([{"event": KERNEL_DIED, "exit_code": 1}, END], [0], 0, "No module named x")
    assert (outcome.status, outcome.traceback) == ("kernel_died", "No module named x")


@pytest.mark.parametrize(("exit_code", "status"), [(-9, "killed"), (1, "failed"), (0, "failed")])
def test_a_runner_that_never_came_to_its_end_did_not_complete(exit_code: int, status: str) -> None:
    """Without the runner's last word the run failed, or was killed where a signal ended the runner."""
    outcome = judge([*ran(0), started(2)], [0, 2], exit_code, "its last lines")
    assert (outcome.status, outcome.failed_cell, outcome.exit_code_of_process) == (status, 2, exit_code)
    assert ("its last lines" in outcome.traceback) == (status == "failed")


def test_a_notebook_that_could_not_be_saved_is_a_failure() -> None:
    """Every cell ran but the executed notebook is not on disk: the run says so."""
    outcome = judge([*ran(0), {"event": UNSAVED, "error_value": "disk full"}, END], [0], 0)
    assert (outcome.status, outcome.error_value) == ("failed", "disk full")


def test_a_failure_is_raised_with_cell_error_and_plain_traceback() -> None:
    """The exception reads without colour codes and says where it happened and how far the run came."""
    outcome = judge([*ran(0), started(2), finished(2, "error", "ValueError", "bad"), END], [0, 2, 3], 0)
    with pytest.raises(
        NotebookError, match=r"failed at cell 2 \(1 of 3 code cells ran\). ValueError: bad\nred$"
    ):
        outcome.raise_for_status()


def test_evidence_cut_off_in_the_middle_of_a_line_is_read_up_to_there(tmp_path: Path) -> None:
    """Events come back as they were recorded; half a line at the end is not an event."""
    evidence = Evidence(tmp_path / "evidence.jsonl")
    assert evidence.events() == []
    evidence.record(CELL_STARTED, cell=1)
    with evidence.path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(END)[:5])
    [event] = evidence.events()
    assert (event["event"], event["cell"]) == (CELL_STARTED, 1)
    assert event["monotonic_s"] > 0
