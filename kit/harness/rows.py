"""Append-only rows: a CSV file that a killed process leaves readable at every byte.

One ``os.write`` with ``O_APPEND`` per row. A row counts once its newline is there: opening cuts the file
back to the last one, so no cut number is ever taken for a number. The first column is ``step``, strictly
increasing. Columns may join later; the file is then rewritten atomically with the new ones at the end,
empty in the rows before.

Values are written so that they read back as they were: integers in decimal, floats by ``repr`` (17 digits
where it takes them), ``nan`` and ``inf`` by name, None as nothing, booleans as 1 and 0, text quoted where
it must be. Text that looks like a number reads back as that number.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import itertools
import logging
import operator
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, SupportsFloat, SupportsIndex

from kit.errors import IntegrityError, UsageError
from kit.harness.atomic import atomic_file, make_durable, storage_error, storage_errors

logger = logging.getLogger(__name__)

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


class AppendOnlyRows:
    """Appends rows to ``path`` and reads them back.

    Opening repairs the torn end that a kill can leave. Damage in the middle, which no kill leaves, is
    neither repaired nor appended to: ``truncate_after`` cuts it off where the rows up to the step asked for
    are sound.

    Args:
        path: The CSV file; made with its header where it does not exist.
        columns: The columns known from the start, after ``step`` (which may be named first or left out). Those
            of an existing file keep their order and come first.

    Raises:
        StorageError: The file cannot be written.
        UsageError: A column name that cannot be one.
    """

    def __init__(self, path: Path, columns: Iterable[str] = ()) -> None:
        self.path = path
        self.columns: tuple[str, ...] = ()
        self._known: frozenset[str] = frozenset()
        self._wanted = _legal_columns(columns)
        self._last_step: int | None = None
        self._end = 0
        with storage_errors(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._damage = self._recover()

    def _recover(self) -> str | None:
        check = check_rows(self.path)
        if check.damage is not None and not check.torn:
            return check.damage
        self._cut(check.sound_bytes)
        self.columns, self._last_step = check.columns, check.last_step
        if not self.columns:
            self.columns = self._wanted
            self._write(_line(self.columns))
            make_durable(self.path)
        self._known = frozenset(self.columns)
        self._widen(self._wanted)
        return None

    def _refuse_damage(self) -> None:
        if self._damage is not None:
            raise IntegrityError(f"{self.path}: {self._damage}.", [str(self.path)])

    @property
    def last_step(self) -> int | None:
        """The step of the last row, or None where there is none."""
        return self._last_step

    def append(self, row: Mapping[str, Value]) -> None:
        """Append one row; ``row["step"]`` must exceed the last one. A column not seen before joins the file.

        Raises:
            UsageError: No step, one that does not increase, or a value that is neither number, text nor None.
            StorageError: The row could not be written; the rows before it are intact.
            IntegrityError: The file is damaged in the middle.
        """
        self._refuse_damage()
        step = self._step_of(row)
        cells = {column: _text(value) for column, value in row.items()}
        if not self._known.issuperset(cells):
            self._widen(_legal_columns(cells))
        self._write(_line([cells.get(column, "") for column in self.columns]))
        self._last_step = step

    def _step_of(self, row: Mapping[str, Value]) -> int:
        step: Any = row.get(STEP)
        try:
            number = -1 if isinstance(step, bool) else int(operator.index(step))
        except TypeError:
            number = -1
        if number < 0:
            raise UsageError(f"A row of {self.path.name} needs a whole step of zero or more, not {step!r}.")
        if self._last_step is not None and number <= self._last_step:
            raise UsageError(
                f"Steps of {self.path.name} must increase: {number} comes after {self._last_step}. "
                "Resuming? truncate_after(step) drops the rows past it."
            )
        return number

    def truncate_after(self, step: int) -> int:
        """Drop the rows whose step exceeds ``step``, durably; return how many lines that were.

        Raises:
            IntegrityError: The file is damaged in the middle, and the sound rows before do not reach
            ``step``.
        """
        if self._damage is not None and (check_rows(self.path).last_step or 0) < step:
            self._refuse_damage()
        dropped = self._drop_past(step)
        self._damage = self._recover()
        self.sync()
        return dropped

    def _drop_past(self, step: int) -> int:
        sound = check_rows(self.path).sound_bytes
        keep, dropped = 0, 0
        for number, (end, cells) in enumerate(_complete_lines(self.path)):
            if end <= sound and (number == 0 or int(cells[0]) <= step):
                keep = end
            else:
                dropped += 1
        self._cut(keep)
        return dropped

    def rows(self) -> Iterator[dict[str, int | float | str | None]]:
        """Yield the rows as written: numbers as int or float, the empty cell as None."""
        return read_rows(self.path)

    def sync(self) -> None:
        """Make what was appended durable against a power failure (a kill alone loses nothing)."""
        with storage_errors(self.path):
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file; harmless when it is closed."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
            failure = None if written == len(line) else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            failure = error
        if failure is not None:
            # Take back the part of the row that fitted; should that fail too, the next opening does it.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise storage_error(self.path, failure) from failure
        self._end += len(line)

    def _cut(self, size: int) -> None:
        with storage_errors(self.path):
            if (surplus := os.fstat(self._file).st_size - size) > 0:
                logger.info("%s: cut %d bytes after byte %d.", self.path.name, surplus, size)
                os.ftruncate(self._file, size)
        self._end = size

    def _widen(self, wanted: Iterable[str]) -> None:
        new = [column for column in wanted if column not in self.columns]
        if not new:
            return
        columns = (*self.columns, *new)
        with atomic_file(self.path) as target, self.path.open("rb") as source:
            next(source)
            target.write(_line(columns))
            target.writelines(line[:-1] + b"," * len(new) + b"\n" for line in source)
        with storage_errors(self.path):
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        os.close(self._file)
        self._file, self._end = file, os.fstat(file).st_size
        self.columns, self._known = columns, frozenset(columns)


def check_rows(path: Path) -> RowsCheck:
    """Read a file of rows and tell how far it is sound.

    Raises:
        FileNotFoundError: There is no such file.
    """
    columns: tuple[str, ...] = ()
    rows, last, sound = 0, None, 0
    for number, (end, cells) in enumerate(_complete_lines(path), start=1):
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
    for _, cells in itertools.islice(_complete_lines(path), 1, check.rows + 1):
        yield {column: _value(cell) for column, cell in zip(check.columns, cells, strict=True)}


def _complete_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
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


def _legal_columns(columns: Iterable[str]) -> tuple[str, ...]:
    names = [column for column in columns if column != STEP]
    for name in names:
        if not isinstance(name, str) or not name or not _is_clean(name) or names.count(name) > 1:
            raise UsageError(f"Not a name for a column: {name!r}. Legal: printable text, each name once.")
    return (STEP, *names)


def _text(value: Value) -> str:
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
        return repr(operator.index(number))
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


def _line(cells: Sequence[str]) -> bytes:
    plain = ",".join(cells)
    if '"' not in plain and plain.count(",") == len(cells) - 1:
        return plain.encode() + b"\n"
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()
