"""Rows that a checkpoint appends to a log instead of writing everything anew, and what comes back of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from kit.errors import IntegrityError
from kit.harness.segment_format import Frame
from kit.harness.segments import Append

FRAME_BYTES = 2**20
"""A frame holds about this many bytes: so few that the same memory serves all of them, which costs half the time."""

ReadRows = Callable[[int, int], Mapping[str, np.ndarray]]
"""Returns rows [start, end) by name, each array of shape (end - start, …); may raise StorageError: they are gone."""


class AppendedRows(Append):
    """A leaf of a checkpoint's tree: rows [start, end) of the log ``log``, of which [keep_from, end) is needed.

    ``read`` is asked for them a part at a time, in order, from the thread that writes; a row has ``row_bytes``. Whoever
    captured it reads ``committed`` later: only then are the rows on disk and need not be handed over again.
    """

    def __init__(
        self, log: str, start: int, end: int, keep_from: int, row_bytes: int, read: ReadRows
    ) -> None:
        super().__init__(log, start, end, keep_from)
        self._each = max(1, FRAME_BYTES // max(1, row_bytes))
        self._read = read

    def frames(self) -> Iterator[Frame]:
        """Yield the rows as safetensors, some FRAME_BYTES at a time; at the end their source is let go of."""
        for start in range(self.start, self.end, self._each):
            end = min(start + self._each, self.end)
            rows = {name: np.ascontiguousarray(array) for name, array in self._read(start, end).items()}
            yield Frame(start, end, save_safetensors(rows))
        del self._read  # the workload keeps this object until its next checkpoint, for what became of it


@dataclass(frozen=True)
class LoggedRows:
    """The same leaf, read back: iterate it once for (start, end, arrays), in order, up to a frame at a time.

    Iterating raises IntegrityError where the log does not hold [keep_from, end) without a gap.
    """

    log: str
    keep_from: int
    end: int
    read: Callable[[str], Iterator[Frame]]

    def __iter__(self) -> Iterator[tuple[int, int, dict[str, np.ndarray]]]:
        reached = self.keep_from
        for frame in self.read(self.log):
            if frame.end <= self.keep_from:
                continue
            if frame.start > reached:
                break
            skipped = max(0, self.keep_from - frame.start)
            arrays = load_safetensors(bytes(frame.data))
            yield frame.start + skipped, frame.end, {name: rows[skipped:] for name, rows in arrays.items()}
            reached = frame.end
        if reached != self.end:
            raise IntegrityError(
                f"The log {self.log!r} of the checkpoint holds its rows up to {reached:,} of {self.end:,}."
            )
