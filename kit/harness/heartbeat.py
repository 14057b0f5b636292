"""The heartbeat: what a training process says about itself, in shared memory, at a cost of nanoseconds.

Read by the watchdog (is it alive, how far is it) and by the command line (the progress bar). It lives in a
small mapped file, so it outlives the process that wrote it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from kit.errors import StorageError

_MAGIC = b"kitbeat3"
_LAYOUT = struct.Struct("<8sQ?Qdddd24s?")
_AT_STEP, _AT_UNDER_WAY = slice(8, 16), 16
_AT_REST, _REST = 17, struct.Struct("<Qdddd24s")
_AT_WRITING = _LAYOUT.size - 1


@dataclass(frozen=True)
class Beat:
    """One reading. Times are absolute monotonic seconds; ``end_s`` is the expected end (0 where unknown).

    ``under_way`` is false while the session starts, before its first boundary; ``writing`` is true while a
    checkpoint is written in the background, whatever phase the training thread is in. The time still to come lies
    between what is expected ÷ ``factor`` and × ``factor`` (0 where unknown).
    """

    step: int
    total_steps: int
    beat_s: float
    began_s: float
    end_s: float
    phase: str
    under_way: bool = False
    writing: bool = False
    factor: float = 0.0


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
        self._steps = memoryview(self._map)[_AT_STEP].cast("Q")
        self.reached: Callable[[int], None] = partial(self._steps.__setitem__, 0)
        """Says that the run is at a step; for hot paths: no time, no phase, and no line of Python."""

    def beat(
        self, step: int, total_steps: int, now_s: float, phase: str, end_s: float = 0.0, factor: float = 0.0
    ) -> None:
        """Say where the run stands at ``now_s``; nothing after ``close``."""
        if self._map.closed:
            return
        text = phase.encode()[:24]
        _REST.pack_into(self._map, _AT_REST, total_steps, now_s, self._began_s, end_s, factor, text)
        self._steps[0] = step
        self._map[: len(_MAGIC)] = _MAGIC  # last: a first record that is not whole is none

    def under_way(self) -> None:
        """Say that the run has begun: what it does from here on is lost with it."""
        self._map[_AT_UNDER_WAY] = True

    def writing(self, on: bool) -> None:
        """Say that a checkpoint is being written, or no longer; from any thread, also after ``close``."""
        with contextlib.suppress(ValueError):  # closed: nobody asks any more
            self._map[_AT_WRITING] = on

    def close(self) -> None:
        """Unmap; the file stays for those who want to know where the run ended."""
        if not self._map.closed:
            self._steps.release()
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
    magic, step, under_way, total, beat_s, began_s, end_s, factor, phase, writing = _LAYOUT.unpack_from(data)
    if magic != _MAGIC:
        return None
    name = phase.rstrip(b"\0").decode(errors="replace")
    return Beat(step, total, beat_s, began_s, end_s, name, under_way, writing, factor)
