"""The replay buffer as a log: a checkpoint writes the transitions that came since the last one.

Nothing is copied where that is not needed: a transition stays in the ring until the ring comes round to it, which is
long after it has been written. Whether it did stay is looked at after each read; rows that were overtaken are never
written, and the checkpoint fails instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common import buffers
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from kit.appended import AppendedRows, ReadRows
from kit.errors import StorageError
from kit.harness.segments import SMALL_BYTES

LOGGED = {ReplayBuffer, DictReplayBuffer, getattr(buffers, "NStepReplayBuffer", ReplayBuffer)}
"""The kinds that are captured: a row that has been added stays as it is until ``add`` comes round to its slot."""
ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
LOG = "replay"


class ReplayLog:
    """Captures the replay buffer of one model, and restores it.

    A buffer is a ring of ``buffer_size`` slots, each with one transition of every environment: arrays of shape
    (slots, n_envs, …). The n-th slot ever filled is row n of the log and lies in slot n mod ``buffer_size``. A row
    leaves the log when the ring has overwritten it. ``reason`` says why a buffer cannot be captured (None: it can).
    """

    def __init__(self, buffer: Any, steps: Callable[[], int]) -> None:
        """Watch ``buffer`` (None where an algorithm has none); ``steps`` counts the steps of each environment."""
        known = buffer is None or type(buffer) in LOGGED
        self.reason = None if known else _reason(buffer)
        self._buffer: ReplayBuffer | None = buffer if known else None
        self._steps = steps
        self._last: AppendedRows | None = None
        self._logged: int | None = None

    @classmethod
    def of(cls, model: Any) -> ReplayLog:
        """Return the log of ``model``'s replay buffer; of none where its algorithm keeps none."""
        buffer = model.replay_buffer if isinstance(model, OffPolicyAlgorithm) else None
        return cls(buffer, lambda: model.num_timesteps // model.n_envs)

    def capture(self) -> dict[str, Any] | None:
        """Return the buffer for a checkpoint: small ones whole (live arrays: snapshot it), else the rows to append."""
        buffer = self._buffer
        if buffer is None:
            return None
        arrays, place = _arrays(buffer), {"pos": buffer.pos, "full": buffer.full}
        filled, rows = _filled(buffer), self._rows_added(buffer)
        if rows is None or sum(array[:filled].nbytes for array in arrays.values()) <= SMALL_BYTES:
            self._last, self._logged = None, None
            return {**place, "arrays": {name: array[:filled] for name, array in arrays.items()}}
        if self._last is not None and self._last.lost:
            self._logged = None
        elif self._last is not None and self._last.committed:
            self._logged = self._last.end
        oldest = max(0, rows - buffer.buffer_size)
        gapless = self._logged is not None and oldest <= self._logged <= rows
        start = self._logged if gapless and self._logged is not None else oldest
        # Slots to be filled before the first of these rows is overwritten:
        left = start + buffer.buffer_size - rows
        read = self._live if left > buffer.buffer_size // 2 else _copies(arrays, start, rows)
        row_bytes = sum(array[:1].nbytes for array in arrays.values())
        self._last = AppendedRows(LOG, start, rows, oldest, row_bytes, read)
        return {**place, "rows": self._last, "ahead": _ahead(buffer)}

    def _live(self, start: int, end: int) -> dict[str, np.ndarray]:
        """Return rows [start, end), from the writing thread, while training adds to the ring."""
        assert self._buffer is not None
        buffer = self._buffer
        rows = {name: _copied(array, start, end) for name, array in _arrays(buffer).items()}
        before = self._steps() - 1  # a step is counted before its row is added
        place, now = buffer.pos, self._steps()  # training goes on between any two of these three
        if (place - before) % buffer.buffer_size > now - before:
            raise StorageError(
                "The replay buffer was added to by something that is no step: its rows cannot be told."
            )
        # With optimize_memory_usage a row reaches into the next slot.
        if now + 1 > start + buffer.buffer_size:
            raise StorageError(
                f"The replay buffer of {buffer.buffer_size:,} slots has overwritten transitions before they were "
                "written: the disk is too slow for it."
            )
        return rows

    def _rows_added(self, buffer: ReplayBuffer) -> int | None:
        """Return the slots ever filled; None where the ring does not stand where they would have led it."""
        steps = self._steps()
        # The step at which a callback ends training is counted, and its transition is never added.
        for rows in (steps, steps - 1):
            if (buffer.pos, buffer.full) == (rows % buffer.buffer_size, rows >= buffer.buffer_size):
                return rows
        return None

    def restore(self, saved: dict[str, Any] | None) -> None:
        """Fill the buffer with what ``capture`` returned, read back.

        Raises:
            IntegrityError: The log has a gap.
        """
        buffer = self._buffer
        if buffer is None or saved is None:
            return
        arrays = _arrays(buffer)
        for name, array in saved.get("arrays", {}).items():
            np.copyto(arrays[name][: len(array)], array)
        if "rows" in saved:
            for start, _, rows in saved["rows"]:
                for name, array in rows.items():
                    _put(arrays[name], start, array)
            for name, observation in saved["ahead"].items():
                arrays[name][saved["pos"]] = observation
            self._logged = saved["rows"].end
        buffer.pos, buffer.full = saved["pos"], saved["full"]


def _reason(buffer: Any) -> str:
    return f"a replay buffer of the kind {type(buffer).__name__} is not captured exactly"


def _arrays(buffer: ReplayBuffer) -> dict[str, np.ndarray]:
    """Return the arrays of a buffer by name; those of dictionary observations as ``observations/key``."""
    found = {}
    for name in ARRAYS:
        value = getattr(buffer, name, None)
        if isinstance(value, dict):
            found.update({f"{name}/{key}": array for key, array in value.items()})
        elif value is not None:
            found[name] = value
    return found


def _filled(buffer: ReplayBuffer) -> int:
    """Return how many slots, from the first on, have been written to."""
    if buffer.full:
        return buffer.buffer_size
    # Without next_observations the next observation lies in the next slot.
    return buffer.pos + 1 if buffer.optimize_memory_usage else buffer.pos


def _ahead(buffer: ReplayBuffer) -> dict[str, np.ndarray]:
    """Return the observation that lies in a slot whose transition is still to come (optimize_memory_usage)."""
    return {"observations": buffer.observations[buffer.pos]} if buffer.optimize_memory_usage else {}


def _copies(arrays: dict[str, np.ndarray], start: int, end: int) -> ReadRows:
    """Copy rows [start, end) now; return what hands them out."""
    copies = {name: _copied(array, start, end) for name, array in arrays.items()}
    return lambda first, last: {name: array[first - start : last - start] for name, array in copies.items()}


def _copied(ring: np.ndarray, start: int, end: int) -> np.ndarray:
    """Return a copy of rows [start, end), at most as many as there are slots."""
    first, size = start % len(ring), end - start
    before_the_end = ring[first : first + size]
    return np.concatenate((before_the_end, ring[: size - len(before_the_end)]))


def _put(ring: np.ndarray, start: int, rows: np.ndarray) -> None:
    first = start % len(ring)
    before_the_end = min(len(rows), len(ring) - first)
    ring[first : first + before_the_end] = rows[:before_the_end]
    ring[: len(rows) - before_the_end] = rows[before_the_end:]
