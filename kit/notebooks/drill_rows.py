"""Torn rows: complete lines of a row file that are not what an undisturbed run writes for that step."""

from __future__ import annotations

import csv
from pathlib import Path

from kit.harness.row_format import check_rows
from kit.harness.run_folder import RunFolder


def torn_rows(killed: RunFolder, undisturbed: RunFolder | None) -> int:
    """Return how many rows of metrics.csv and timing.csv a naive reader would be misled by.

    A last line without a newline is none: it is cut off before anything is read or appended. timing.csv holds
    times, so its rows only have to be well-formed; those of metrics.csv too where ``undisturbed`` is None, since
    resume is not exact and other values are no tear.
    """
    formed, wrong = [killed.timing_rows], 0
    if undisturbed is None:
        formed.append(killed.metrics)
    elif killed.metrics.exists():
        wrong = len(wrong_rows(killed.metrics, undisturbed.metrics))
    checks = [check_rows(path) for path in formed if path.exists()]
    return wrong + sum(check.damage is not None and not check.torn for check in checks)


def wrong_rows(path: Path, reference: Path) -> list[str]:
    """Return the complete lines of ``path`` that are not those of ``reference`` for their step, in their order.

    A column that joins later is not there yet: its cells count as empty.
    """
    names, *lines = _complete(path) or [[]]
    columns, *expected = _complete(reference) or [[]]
    if names != columns[: len(names)]:
        return [",".join(names)]
    by_step = {cells[0]: (number, cells) for number, cells in enumerate(expected)}
    wrong, last = [], -1
    for cells in lines:
        number, whole = by_step.get(cells[0] if cells else "", (-1, []))
        if number <= last or [*cells, *[""] * (len(columns) - len(names))] != whole:
            wrong.append(",".join(cells))
        last = max(last, number)
    return wrong


def _complete(path: Path) -> list[list[str]]:
    """Return the cells of each line that ends in a newline."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return list(csv.reader(line.decode("utf-8", "replace") for line in lines))
