"""The format of the append-only log: frames, segments, and whether they are what a manifest says.

A segment is a file of frames: a header (bytes of data, first row, row after the last), the data, zeros up to a
multiple of 4,096 bytes, so that no append writes to a disk block that an earlier checkpoint counts on. A manifest
names a segment with the number of bytes from its beginning that belong to the checkpoint, and their SHA-256.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError

SEGMENTS = "segments"
SEGMENT_NAME = re.compile(r"(?P<log>[a-z][a-z0-9_]{0,99})-(?P<number>[0-9]{9,18})\.seg")
BLOCK = 4096
_HEADER = struct.Struct("<QQQ")
_CHUNK = 2**20


@dataclass(frozen=True)
class Frame:
    """Rows [start, end) of a log, as bytes that only whoever handed them in understands."""

    start: int
    end: int
    data: bytes | memoryview

    def encode(self) -> bytes:
        """Return the frame as it lies in a segment."""
        size = _HEADER.size + len(self.data)
        return b"".join((_HEADER.pack(len(self.data), self.start, self.end), self.data, bytes(-size % BLOCK)))


@dataclass(frozen=True)
class SegmentRecord:
    """A segment as one checkpoint counts on it: its first ``bytes`` bytes, their SHA-256, and the rows in them."""

    log: str
    name: str
    start: int
    end: int
    bytes: int
    sha256: str

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> SegmentRecord:
        """Return a record read from JSON; raises ValueError, KeyError or TypeError where it is none."""
        record = cls(
            log=str(fields["log"]),
            name=str(fields["name"]),
            start=int(fields["start"]),
            end=int(fields["end"]),
            bytes=int(fields["bytes"]),
            sha256=str(fields["sha256"]),
        )
        match = SEGMENT_NAME.fullmatch(record.name)
        if match is None or match["log"] != record.log or min(record.start, record.bytes) < 0:
            raise ValueError(f"{record.name!r} is no segment of the log {record.log!r}")
        return record


def segments_in(folder: Path) -> list[Path]:
    """Return the segments in a folder, whatever log they are of; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if SEGMENT_NAME.fullmatch(path.name))


def segment_number(path: Path) -> int:
    """Return the number of a segment; no two of a folder have the same."""
    match = SEGMENT_NAME.fullmatch(path.name)
    return int(match["number"]) if match is not None else 0


def holds(path: Path, record: SegmentRecord) -> bool:
    """Whether the file is there and long enough; its bytes are not looked at."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size >= record.bytes


def gap_in(records: Iterable[SegmentRecord]) -> str | None:
    """Return which log has a gap or an overlap between its segments, in words; None where none has."""
    ends: dict[str, int] = {}
    for record in records:
        if record.end <= record.start or ends.get(record.log, record.start) != record.start:
            return f"the log {record.log!r} has a gap at row {record.start:,}"
        ends[record.log] = record.end
    return None


def check_segment(folder: Path, record: SegmentRecord) -> None:
    """Compare the prefix of a segment with its record; raises IntegrityError where it is missing or changed."""
    digest, left = hashlib.sha256(), record.bytes
    try:
        _need(folder, record)
        with (folder / record.name).open("rb") as file:
            while left and (chunk := file.read(min(left, _CHUNK))):
                digest.update(chunk)
                left -= len(chunk)
    except OSError as error:
        raise _damaged(folder, record, f"cannot be read: {error.strerror}") from error
    if left or digest.hexdigest() != record.sha256:
        raise _damaged(folder, record, "has another SHA-256 than the manifest says")


def read_frames(folder: Path, record: SegmentRecord) -> Iterator[Frame]:
    """Yield the frames of a segment, from bytes that were checked; raises IntegrityError where they are not right."""
    try:
        _need(folder, record)
        with (folder / record.name).open("rb") as file:
            data = memoryview(file.read(record.bytes))
    except OSError as error:
        raise _damaged(folder, record, f"cannot be read: {error.strerror}") from error
    if len(data) != record.bytes or hashlib.sha256(data).hexdigest() != record.sha256:
        raise _damaged(folder, record, "has another SHA-256 than the manifest says")
    at, row = 0, record.start
    while at < len(data):
        size, start, end = _HEADER.unpack_from(data, at)
        if start != row or end <= start or at + _HEADER.size + size > len(data):
            raise _damaged(folder, record, f"has no row {row:,} where it should be")
        yield Frame(start, end, data[at + _HEADER.size : at + _HEADER.size + size])
        at, row = at + _HEADER.size + size + (-(_HEADER.size + size) % BLOCK), end
    if row != record.end:
        raise _damaged(folder, record, f"ends before row {row:,}")


def _need(folder: Path, record: SegmentRecord) -> None:
    path = folder / record.name
    if path.is_symlink() or not path.is_file():
        raise _damaged(folder, record, "is missing")
    if path.stat().st_size < record.bytes:
        raise _damaged(folder, record, f"has fewer than the {record.bytes} bytes that the manifest says")


def _damaged(folder: Path, record: SegmentRecord, why: str) -> IntegrityError:
    return IntegrityError(f"{folder / record.name} {why}.", [f"{SEGMENTS}/{record.name}"])
