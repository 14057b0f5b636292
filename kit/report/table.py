"""A table of numbers read from a CSV file that a dead run may have left half written."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Table:
    """Named columns of equal length, floats; an empty field is NaN."""

    columns: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def get(self, name: str) -> Sequence[float]:
        """Return the column of that name, empty where there is none."""
        return self.columns.get(name, ())

    def measured(self, name: str) -> bool:
        """Say whether the column holds at least one finite number."""
        return any(map(math.isfinite, self.get(name)))


def read_table(path: Path, problems: list[str]) -> Table:
    """Read a CSV file of numbers; what cannot be read is left out and said in ``problems``.

    Bytes after the last newline are a row that was being written: they are dropped in silence. A row with
    another number of fields than the header, or with a field that is no number, is left out and counted.

    Args:
        path: the file; an absent one gives an empty table and no problem.
        problems: sentences for the reader are appended here.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return Table()
    except OSError as error:
        problems.append(f"{path.name} could not be read ({error.strerror}).")
        return Table()
    lines = text[: text.rfind("\n") + 1].splitlines()
    rows = csv.reader(lines)
    try:
        names = next(rows, [])
    except csv.Error as error:
        problems.append(f"{path.name} has no readable header ({error}).")
        return Table()
    if not names:
        if text.strip("\n"):
            problems.append(f"{path.name} has no complete header.")
        return Table()
    return Table(dict(zip(names, _columns(path.name, rows, len(names), problems), strict=False)))


def _columns(name: str, rows: Iterator[list[str]], width: int, problems: list[str]) -> list[list[float]]:
    """Turn rows of text into columns of floats, leaving out the rows that are not numbers."""
    good: list[list[float]] = []
    bad = 0
    while True:
        try:
            row = next(rows, None)
            if row is None:
                break
            if len(row) != width:
                bad += 1
                continue
            good.append([float(value) if value else math.nan for value in row])
        except (ValueError, csv.Error):
            bad += 1
    if bad:
        problems.append(f"{name}: {bad:,} row{'s' if bad > 1 else ''} could not be read and are left out.")
    return [list(column) for column in zip(*good, strict=True)] or [[] for _ in range(width)]
