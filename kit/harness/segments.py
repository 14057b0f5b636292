"""The append-only log beside the checkpoints: each appends what is new, and its manifest covers a prefix of every file.

A log consists of segments, ``checkpoints/segments/<log>-000000001.seg``, of the format of ``segment_format``. A
checkpoint that has been committed never changes, since appending only makes files longer; so those that are kept share
their segments. What stands behind the longest prefix that a manifest names was never committed, and means nothing.

A new process, and one that failed to append, starts a new file: after a failed fsync a file is not touched again.
"""

from __future__ import annotations

import hashlib
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError, StorageError, UsageError
from kit.harness.atomic import storage_errors, sync_directory
from kit.harness.segment_format import (
    SEGMENT_NAME,
    Frame,
    SegmentRecord,
    holds,
    read_frames,
    segment_number,
    segments_in,
)

logger = logging.getLogger(__name__)

SEGMENT_BYTES = 64 * 2**20
"""A segment that has grown to this size is left, so that it can be deleted when none of its rows is needed any more."""
SMALL_BYTES = 16 * 2**20
"""What is no larger than this is better written whole: then the checkpoints that are kept share no file."""
MANY = 32
"""With more segments than this, small neighbours (every session leaves one) become one file."""


class Append(ABC):
    """Rows [start, end) for the log ``log``, of which [keep_from, end) is needed afterwards.

    ``start`` is where the last committed append ended, or equal to ``keep_from``: then the log begins anew. After the
    checkpoint ``committed`` tells whether the rows are safe, and ``lost`` that the rows before are not there any more.
    """

    def __init__(self, log: str, start: int, end: int, keep_from: int) -> None:
        if not 0 <= keep_from <= start <= end:
            raise UsageError(f"Rows [{start}, {end}) from {keep_from} on are no part of a log.")
        self.log, self.start, self.end, self.keep_from = log, start, end, keep_from
        self.committed = self.lost = False

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Yield the rows, without a gap, in frames of moderate size; called outside the training thread."""


class _Writer:
    """A segment that ends where the last append ended, with the running sum of all that is in it."""

    def __init__(self, path: Path, log: str) -> None:
        self.path, self.log = path, log
        self.start = self.end = self.size = 0
        self.digest = hashlib.sha256()

    def write(self, frames: Iterable[Frame], up_to: int) -> Frame | None:
        """Append frames until the segment has ``up_to`` bytes, sync it; return the frame that finds no room."""
        made = not self.size
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if made else 0)
        with os.fdopen(os.open(self.path, flags, 0o666), "wb") as file:
            file.seek(self.size)
            left = next((frame for frame in frames if not self._put(file, frame, up_to)), None)
            file.flush()
            os.fsync(file.fileno())
        if made:
            sync_directory(self.path.parent)
        return left

    def _put(self, file: Any, frame: Frame, up_to: int) -> bool:
        if self.size >= up_to:
            return False
        if not self.size:
            self.start = self.end = frame.start
        if frame.start != self.end:
            raise UsageError(f"The log {self.log!r} would have a gap: {self.end} to {frame.start}.")
        block = frame.encode()
        file.write(block)
        self.digest.update(block)
        self.size += len(block)
        self.end = frame.end
        return True

    def record(self) -> SegmentRecord:
        digest = self.digest.hexdigest()
        return SegmentRecord(self.log, self.path.name, self.start, self.end, self.size, digest)


@dataclass(frozen=True)
class Staged:
    """What is on disk for a checkpoint that is not committed yet: ``records`` go into its manifest."""

    appends: tuple[Append, ...]
    records: tuple[SegmentRecord, ...]
    writers: dict[str, _Writer]


class SegmentLog:
    """The logs of one run, written by one process: stage, write the manifest, commit."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder, self._segment_bytes = folder, segment_bytes
        self._committed: tuple[SegmentRecord, ...] = ()
        self._writers: dict[str, _Writer] = {}

    def continue_from(self, records: Iterable[SegmentRecord]) -> None:
        """Go on from a checkpoint's segments, in new files."""
        self._committed, self._writers = tuple(records), {}

    def stage(self, appends: Sequence[Append]) -> Staged:
        """Write and sync the rows of a checkpoint. Until ``commit`` they are no part of any log.

        Raises:
            StorageError: They could not be written, or what they go on from is gone; ``lost`` then says which.
            UsageError: A log would have a gap, is appended to twice, or has a name that cannot be a file's.
        """
        if len({append.log for append in appends}) < len(appends):
            raise UsageError("A checkpoint can append to a log only once.")
        for append in appends:
            if SEGMENT_NAME.fullmatch(f"{append.log}-000000001.seg") is None:
                raise UsageError(
                    f"Not a name for a log: {append.log!r}. Legal: lower-case letters, digits and '_'."
                )
        writers, self._writers = self._writers, {}  # one that fails is not in here any more
        records: list[SegmentRecord] = []
        for append in appends:
            with storage_errors(self.folder / append.log):
                records += self._stage(append, writers)
        return Staged(tuple(appends), tuple(records), writers)

    def commit(self, staged: Staged) -> None:
        """The manifest is on disk: later appends go on from here."""
        self._committed, self._writers = staged.records, staged.writers
        for append in staged.appends:
            append.committed = True

    def collect(self, named: Iterable[str]) -> int:
        """Delete the segments that no manifest names and this log does not go on from; return the bytes freed."""
        live = {*named, *(record.name for record in self._committed)}
        freed = 0
        for path in segments_in(self.folder):
            if path.name not in live:
                with suppress(OSError):
                    size = path.stat().st_size
                    path.unlink()
                    freed += size
        return freed

    def _stage(self, append: Append, writers: dict[str, _Writer]) -> list[SegmentRecord]:
        kept = self._kept(append)
        writer = writers.pop(append.log, None)
        if writer is not None and (not kept or kept[-1].name != writer.path.name):
            writer = None
        if writer is not None:
            kept.pop()
        if len(kept) > MANY:
            try:
                kept = self._merged(kept)
            except IntegrityError as error:
                append.lost = True
                raise StorageError(str(error)) from error
        frames = append.frames()
        frame = next(frames, None)
        while frame is not None:
            if writer is None or writer.size >= self._segment_bytes:
                kept += [writer.record()] if writer is not None else []
                writer = _Writer(self._new_path(append.log), append.log)
            frame = self._write(writer, frame, frames)
        if writer is not None:
            kept.append(writer.record())
            writers[append.log] = writer
        if append.end > append.keep_from and (not kept or kept[-1].end != append.end):
            raise UsageError(f"The frames for the log {append.log!r} do not reach row {append.end}.")
        return kept

    def _kept(self, append: Append) -> list[SegmentRecord]:
        """Return the segments that the rows go on from and that are still needed; none where the log begins anew."""
        before = [record for record in self._committed if record.log == append.log]
        if not before or before[-1].end != append.start:
            if append.start != append.keep_from:
                raise UsageError(f"The log {append.log!r} would have a gap before row {append.start}.")
            return []
        kept = [record for record in before if record.end > append.keep_from]
        gone = [record.name for record in kept if not holds(self.folder / record.name, record)]
        if gone:
            append.lost = True
            raise StorageError(f"{self.folder} no longer holds what was written: {', '.join(gone)}.")
        return kept

    def _write(self, writer: _Writer, first: Frame, rest: Iterator[Frame]) -> Frame | None:
        made = not writer.size
        try:
            return writer.write(chain([first], rest), self._segment_bytes)
        except BaseException:
            if made:  # no manifest names it: the room is of more use than the half of a frame
                with suppress(OSError):
                    writer.path.unlink()
            raise

    def _new_path(self, log: str) -> Path:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            sync_directory(self.folder.parent)
        numbers = [segment_number(path) for path in segments_in(self.folder)]
        return self.folder / f"{log}-{max(numbers, default=0) + 1:09d}.seg"

    def _merged(self, records: list[SegmentRecord]) -> list[SegmentRecord]:
        """Copy small neighbours into one segment each; where there is no room for that they stay as they are."""
        merged: list[SegmentRecord] = []
        group: list[SegmentRecord] = []
        for record in [*records, None]:
            if record is not None and sum(one.bytes for one in [*group, record]) <= self._segment_bytes:
                group.append(record)
                continue
            merged += self._concatenated(group) if len(group) > 1 else group
            group = [record] if record is not None else []
        logger.info("%s segments of a log became %s.", len(records), len(merged))
        return merged

    def _concatenated(self, records: list[SegmentRecord]) -> list[SegmentRecord]:
        writer = _Writer(self._new_path(records[0].log), records[0].log)
        frames = (frame for record in records for frame in read_frames(self.folder, record))
        try:
            self._write(writer, next(frames), frames)
        except OSError as error:
            logger.warning("%s segments cannot become one: %s", len(records), error)
            return records
        return [writer.record()]
