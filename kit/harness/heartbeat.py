"""The heartbeat: what a training process says about itself, in shared memory, at a cost of nanoseconds.

Read by the watchdog (is it alive, how far is it) and by the command line (the progress bar). It lives in a
small mapped file, so it outlives the process that wrote it.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kit.errors import StorageError

_LAYOUT = struct.Struct("<8sQQddd24s")
_MAGIC = b"kitbeat1"


@dataclass(frozen=True)
class Beat:
    """One reading. Times are absolute monotonic seconds; ``end_s`` is the expected end (0 where unknown)."""

    step: int
    total_steps: int
    beat_s: float
    began_s: float
    end_s: float
    phase: str


class Heartbeat:
    """The writing side: ``beat`` packs one record into the mapped file."""

    def __init__(self, path: Path, began_s: float) -> None:
        self._began_s = began_s
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            # Written out, not truncated to: touching a hole of a mapped file on a full disk kills the process.
            os.pwrite(self._file, bytes(_LAYOUT.size), 0)
        except OSError as error:
            os.close(self._file)
            raise StorageError(f"The run folder cannot be written: {path}: {error.strerror}.") from error
        self._map = mmap.mmap(self._file, _LAYOUT.size)

    def beat(self, step: int, total_steps: int, now_s: float, phase: str, end_s: float = 0.0) -> None:
        """Say where the run stands at ``now_s``."""
        text = phase.encode()[:24]
        _LAYOUT.pack_into(self._map, 0, _MAGIC, step, total_steps, now_s, self._began_s, end_s, text)

    def close(self) -> None:
        """Unmap; the file stays for those who want to know where the run ended."""
        if not self._map.closed:
            self._map.close()
            os.close(self._file)

    def __enter__(self) -> Heartbeat:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_beat(path: Path) -> Beat | None:
    """Return the last beat, or None where there is none (no file, or one that is not a heartbeat)."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) < _LAYOUT.size:
        return None
    magic, step, total, beat_s, began_s, end_s, phase = _LAYOUT.unpack_from(data)
    if magic != _MAGIC:
        return None
    return Beat(step, total, beat_s, began_s, end_s, phase.rstrip(b"\0").decode(errors="replace"))
