"""The format of the kit's row files: how a cell is written and read, and how far a file is sound.

A CSV file with a header, ``step`` first and strictly increasing, one line for each row; a line counts once
its newline is there. Values are written so that they read back as they were: integers in decimal, floats by
``repr`` (17 digits where it takes them), ``nan`` and ``inf`` by name, None as nothing, booleans as 1 and 0,
text quoted where it must be. Text that looks like a number reads back as that number.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex

from kit.errors import IntegrityError, UsageError

STEP = "step"
_INTEGER = re.compile(r"-?[0-9]+")
Value = SupportsFloat | SupportsIndex | str | None
"""What a cell can be given: a number (NumPy scalars, 0-d tensors too), text, or None for "not measured"."""


@dataclass(frozen=True)
class RowsCheck:
    """How a file of rows stands: its first ``sound_bytes`` are good, ``damage`` says what follows.

    ``torn`` means that only the last line is at fault, as a kill may leave it: cutting it off repairs the
    file.
    """

    columns: tuple[str, ...]
    rows: int
    last_step: int | None
    sound_bytes: int
    damage: str | None
    torn: bool


def check_rows(path: Path) -> RowsCheck:
    """Read a file of rows and tell how far it is sound.

    Raises:
        FileNotFoundError: There is no such file.
    """
    columns: tuple[str, ...] = ()
    rows, last, sound = 0, None, 0
    for number, (end, cells) in enumerate(complete_lines(path), start=1):
        fault = _row_fault(cells, len(columns), last) if columns else _header_fault(cells)
        if fault is not None:
            return RowsCheck(columns, rows, last, sound, f"line {number} {fault}", torn=False)
        if columns:
            rows, last = rows + 1, int(cells[0])
        else:
            columns = tuple(cells)
        sound = end
    if sound < path.stat().st_size:
        return RowsCheck(columns, rows, last, sound, f"the line after byte {sound} has no end", torn=True)
    return RowsCheck(columns, rows, last, sound, None, torn=False)


def read_rows(path: Path) -> Iterator[dict[str, int | float | str | None]]:
    """Yield the complete rows of a file; a torn last line is left out.

    Raises:
        IntegrityError: A row in the middle is damaged.
    """
    check = check_rows(path)
    if check.damage is not None and not check.torn:
        raise IntegrityError(f"{path}: {check.damage}.", [str(path)])
    for _, cells in itertools.islice(complete_lines(path), 1, check.rows + 1):
        yield {column: _value(cell) for column, cell in zip(check.columns, cells, strict=True)}


def complete_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (offset after the newline, cells) of the lines that end in one."""
    end = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            end += len(line)
            text = line[:-1].decode("utf-8", "surrogateescape")
            yield end, _cells(text)


def _cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [""])
    except csv.Error:  # a hole of zero bytes, longer than a cell may be
        return [""]


def _header_fault(cells: list[str]) -> str | None:
    if (
        cells[0] != STEP
        or len(set(cells)) != len(cells)
        or not all(_is_clean(cell) and cell for cell in cells)
    ):
        return f"is not a header that starts with {STEP!r}"
    return None


def _row_fault(cells: list[str], width: int, last: int | None) -> str | None:
    if len(cells) != width:
        return f"has {len(cells)} cells, the header {width}"
    if not (cells[0].isascii() and cells[0].isdigit()):
        return f"has no step but {cells[0]!r}"
    if last is not None and int(cells[0]) <= last:
        return f"has step {cells[0]} after step {last}"
    return None if all(map(_is_clean, cells)) else "holds bytes that are no text"


def _is_clean(cell: str) -> bool:
    return cell.isprintable()  # neither control characters nor bytes that are not UTF-8


def legal_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns with ``step`` first; raises UsageError for a name that cannot be one."""
    names = [column for column in columns if column != STEP]
    for name in names:
        if not isinstance(name, str) or not name or not _is_clean(name) or names.count(name) > 1:
            raise UsageError(f"Not a name for a column: {name!r}. Legal: printable text, each name once.")
    return (STEP, *names)


def cell_text(value: Value) -> str:
    """Return the text of a cell; raises UsageError for what is no number, no printable text and not None."""
    if value is None:
        return ""
    if isinstance(value, str):
        if not _is_clean(value):
            raise UsageError(f"Not text for a cell: {value!r}. Legal: printable characters on one line.")
        return value
    if isinstance(value, float):
        return float.__repr__(value)  # NumPy's own repr of its float64 is no number
    number: Any = value
    try:
        return repr(int(operator.index(number)))  # int: a bool is its own index
    except TypeError:
        pass
    try:
        return repr(float(number))
    except (TypeError, ValueError) as error:
        raise UsageError(f"Not a value for a cell: {value!r}. Legal: a number, text, or None.") from error


def _value(cell: str) -> int | float | str | None:
    if not cell:
        return None
    if _INTEGER.fullmatch(cell):
        return int(cell)
    with contextlib.suppress(ValueError):
        return cell if "_" in cell else float(cell)
    return cell


def encode_line(cells: Sequence[str]) -> bytes:
    """Return the line of these cells, newline included."""
    plain = ",".join(cells)
    if '"' not in plain and plain.count(",") == len(cells) - 1:
        return plain.encode() + b"\n"
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()
