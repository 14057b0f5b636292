"""Append-only rows: a CSV file that a killed process leaves readable at every byte.

One ``os.write`` with ``O_APPEND`` per row. Opening cuts the file back to its last newline, so no cut number
is ever taken for a number. Columns may join later; the file is then rewritten atomically with the new ones at
the end, empty in the rows before. ``row_format`` says how rows look.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kit.errors import IntegrityError, UsageError
from kit.harness.atomic import atomic_file, make_durable, storage_error, storage_errors
from kit.harness.row_format import (
    STEP,
    Value,
    cell_text,
    check_rows,
    complete_lines,
    encode_line,
    legal_columns,
    read_rows,
)

logger = logging.getLogger(__name__)


class AppendOnlyRows:
    """Appends rows to ``path`` and reads them back.

    Opening repairs the torn end that a kill can leave. Damage in the middle, which no kill leaves, is
    neither repaired nor appended to: ``truncate_after`` cuts it off where the rows up to the step asked for
    are sound.

    Args:
        path: The CSV file; made with its header where it does not exist.
        columns: The columns known from the start, after ``step`` (which may be named first or left out).
            Those of an existing file keep their order and come first.

    Raises:
        StorageError: The file cannot be written.
        UsageError: A column name that cannot be one.
    """

    def __init__(self, path: Path, columns: Iterable[str] = ()) -> None:
        self.path = path
        self.columns: tuple[str, ...] = ()
        self._known: frozenset[str] = frozenset()
        self._wanted = legal_columns(columns)
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
            self._write(encode_line(self.columns))
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
        cells = {column: cell_text(value) for column, value in row.items()}
        if not self._known.issuperset(cells):
            self._widen(legal_columns(cells))
        self._write(encode_line([cells.get(column, "") for column in self.columns]))
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
        for number, (end, cells) in enumerate(complete_lines(self.path)):
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
            target.write(encode_line(columns))
            target.writelines(line[:-1] + b"," * len(new) + b"\n" for line in source)
        with storage_errors(self.path):
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        os.close(self._file)
        self._file, self._end = file, os.fstat(file).st_size
        self.columns, self._known = columns, frozenset(columns)
