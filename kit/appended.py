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

FRAME_BYTES = 16 * 2**20
"""A frame holds about this many bytes: what is in memory twice, at most, while rows are written or read."""


class AppendedRows(Append):
    """A leaf of a checkpoint's tree: rows [start, end) of the log ``log``, of which [keep_from, end) is needed.

    ``arrays`` maps a name to an array of shape (end - start, …), a copy that nobody changes any more. Whoever
    captured it reads ``committed`` later: only then are the rows on disk and need not be handed over again.
    """

    def __init__(
        self, log: str, start: int, end: int, keep_from: int, arrays: Mapping[str, np.ndarray]
    ) -> None:
        super().__init__(log, start, end, keep_from)
        self.arrays = arrays

    def frames(self) -> Iterator[Frame]:
        """Yield the rows as safetensors, some 16 MiB at a time; at the end the arrays are let go of."""
        row_bytes = sum(array[:1].nbytes for array in self.arrays.values())
        each = max(1, FRAME_BYTES // max(1, row_bytes))
        for start in range(self.start, self.end, each):
            end = min(start + each, self.end)
            part = slice(start - self.start, end - self.start)
            rows = {name: np.ascontiguousarray(array[part]) for name, array in self.arrays.items()}
            yield Frame(start, end, save_safetensors(rows))
        self.arrays = {}  # the workload keeps this object until its next checkpoint, for what became of it


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
