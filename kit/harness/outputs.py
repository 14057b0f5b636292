"""RobustOutputManager: the run folder and its three layers.

Layer 1 is what a run resumes from (checkpoints), layer 2 what a person can already use while it runs (metrics,
figures, the best model), layer 3 what is taken home (summary, archive, checksums). Layers 1 and 2 are valid at
every instant; layer 3 can be made from them at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from kit.errors import KitError, StorageError
from kit.harness.archive import ArchiveRef, package
from kit.harness.atomic import storage_errors
from kit.harness.cadence import Cadence
from kit.harness.checkpoints import CheckpointRef, CheckpointStore
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.finalise import summary_from_disk
from kit.harness.lock import FileLock
from kit.harness.manifest import FileRecord
from kit.harness.origin import Origin
from kit.harness.rows import AppendOnlyRows
from kit.harness.run_folder import RunFolder
from kit.harness.segments import Append
from kit.harness.store import committed_directory
from kit.harness.summary import STOPPED, write_json

logger = logging.getLogger(__name__)

Encoder = Callable[[], Mapping[str, bytes]]
"""Gives a checkpoint's files; called outside the training thread on a snapshot that no longer changes."""


class RobustOutputManager:
    """Writes the three layers of one run.

    ``draw`` is asked for fresh figures at every export and must not block; ``encode`` arguments turn a snapshot
    into files in the background; ``on_persist`` is told there when a checkpoint's write begins (True) and ends
    (False). Raises StorageError where writing failed: at the second failed checkpoint in a row, the first being a
    warning, and where one is being written for longer than the cadence's ``checkpoint_stuck_s``; the checkpoints
    before stay intact.
    """

    def __init__(
        self,
        folder: RunFolder,
        config_hash: str,
        *,
        cadence: Cadence | None = None,
        clock: Clock = SYSTEM_CLOCK,
        draw: Callable[[], None] | None = None,
        on_persist: Callable[[bool], None] | None = None,
    ) -> None:
        self.folder = folder
        self.cadence = cadence or Cadence()
        self.checkpoints = CheckpointStore(
            folder.checkpoints, config_hash, keep=self.cadence.keep, origin=Origin()
        )
        self.checkpoint_cost_s = 0.0
        self.checkpoint_bytes = 0
        self._clock = clock
        self._draw = draw
        self._on_persist = on_persist or (lambda _: None)
        self._metrics: AppendOnlyRows | None = None
        self._times: AppendOnlyRows | None = None
        self._background = ThreadPoolExecutor(1, thread_name_prefix="kit-checkpoint")
        self._pending: Future[CheckpointRef] | None = None
        self._failures = 0
        self._slow_said = False
        self._last_checkpoint_s = clock.monotonic()
        self._last_checkpoint_step = 0
        self._last_export_s = clock.monotonic()
        self._last_export_step = 0

    # Layer 1

    def checkpoint_due(self, step: int) -> bool:
        """Whether a checkpoint should be taken at this boundary (by steps where those are set, else by time).

        Not while the one before is still being written: training does not wait for a disk.
        """
        if self._pending is not None:
            return False
        every = self.cadence.checkpoint_every_steps
        if every is not None:
            return step // every > self._last_checkpoint_step // every
        waited = self._clock.monotonic() - self._last_checkpoint_s
        if waited < self.cadence.checkpoint_min_s:
            return False
        return waited >= self.cadence.checkpoint_interval_s(self.checkpoint_cost_s)

    def save_checkpoint(
        self,
        step: int,
        encode: Encoder,
        *,
        exact: bool,
        extra: Mapping[str, Any],
        append: Sequence[Append] = (),
        beside: Sequence[FileRecord] = (),
        stall_s: float = 0.0,
    ) -> None:
        """Persist a snapshot in the background; a second one waits for the first (they commit in order).

        ``append`` holds rows for the checkpoint's logs, ``beside`` files that it counts on;
        ``stall_s`` is what the snapshot cost the training thread.
        """
        self.settle()
        self._last_checkpoint_s, self._last_checkpoint_step = self._clock.monotonic(), step

        def persist() -> CheckpointRef:
            self._on_persist(True)
            began = self._clock.thread_cpu()
            try:
                files = encode()
                self._sync_rows()
                reference = self.checkpoints.save(
                    step, files, exact=exact, extra=dict(extra), append=append, beside=beside
                )
            finally:
                self._on_persist(False)
            self.checkpoint_cost_s = stall_s + self._clock.thread_cpu() - began
            self.checkpoint_bytes = reference.size_bytes
            return reference

        self._slow_said = False
        self._pending = self._background.submit(persist)

    def prune(self) -> int:
        """Make room on a disk that runs full: keep only the newest sound checkpoint; return the bytes freed."""
        return self.checkpoints.prune()

    def _sync_rows(self) -> None:
        """Make the rows durable before a checkpoint that counts on them is; from the background thread.

        By their paths: a new column replaces the file under the training thread's hands, and does so durably.
        """
        for rows in (self._metrics, self._times):
            if rows is not None:
                with storage_errors(rows.path), rows.path.open("rb") as file:
                    os.fsync(file.fileno())

    def settle(self) -> None:
        """Wait for the checkpoint being written; see the class for what a failure does."""
        fault = self.wait()
        if fault is None:
            return
        if self._failures > 1:
            raise StorageError(f"Two checkpoints in a row could not be written: {fault}") from fault
        logger.warning("A checkpoint could not be written, the next one is tried as usual: %s", fault)

    def wait(self) -> OSError | None:
        """Wait for the checkpoint being written; return why it could not be, None where it was or there is none."""
        pending, self._pending = self._pending, None
        if pending is None:
            return None
        try:
            pending.result()
        except OSError as error:
            self._failures += 1
            return error
        self._failures = 0
        return None

    def poll(self) -> None:
        """Take note of a checkpoint that has finished, without waiting for one that has not.

        One that takes long is warned of once, and one that hangs raises StorageError.
        """
        if self._pending is None:
            return
        if self._pending.done():
            self.settle()
            return
        writing_s = self._clock.monotonic() - self._last_checkpoint_s
        if writing_s > self.cadence.checkpoint_stuck_s:
            raise StorageError(
                f"The checkpoint of step {self._last_checkpoint_step:,} is still being written after "
                f"{writing_s:.0f} s: the disk of {self.folder.root} hangs. The checkpoints before are intact."
            )
        slow_s = max(
            self.cadence.checkpoint_slow_s, self.cadence.checkpoint_interval_s(self.checkpoint_cost_s)
        )
        if writing_s > slow_s and not self._slow_said:
            self._slow_said = True
            logger.warning(
                "The checkpoint of step %s has been in writing for %.0f s, the next one waits for it: the disk of %s "
                "is slow. Killed now, the run would go on from the checkpoint before.",
                f"{self._last_checkpoint_step:,}",
                writing_s,
                self.folder.root,
            )

    # Layer 2

    def open_rows(self, step: int) -> None:
        """Open metrics.csv and timing.csv for appending after ``step`` (-1: a fresh run), dropping later rows.

        Those belong to a future that was lost; the run from ``step`` on will write them again.
        """
        self._metrics = AppendOnlyRows(self.folder.metrics, ["step"])
        self._times = AppendOnlyRows(self.folder.timing_rows, ["step", "time_s", "session"])
        self._metrics.truncate_after(step)
        self._times.truncate_after(step)
        self._last_checkpoint_step = self._last_export_step = max(step, 0)

    def record(self, step: int, metrics: Mapping[str, float | int | str | None]) -> None:
        """Append one row to metrics.csv. Steps must increase; values must not depend on time."""
        if self._metrics is None:
            self.open_rows(step - 1)
        assert self._metrics is not None
        self._metrics.append({"step": step, **metrics})

    def record_time(self, step: int, elapsed_s: float, session: int) -> None:
        """Append one row to timing.csv."""
        if self._times is not None:
            self._times.append({"step": step, "time_s": round(elapsed_s, 3), "session": session})

    def export_due(self, step: int) -> bool:
        """Whether layer 2 should be refreshed at this boundary."""
        every = self.cadence.export_every_steps
        if step // every <= self._last_export_step // every:
            return False
        return self._clock.monotonic() - self._last_export_s >= self.cadence.export_min_s

    def save_intermediate_results(self, step: int) -> None:
        """Export layer 2: make what was appended durable and ask for fresh figures."""
        self._last_export_s, self._last_export_step = self._clock.monotonic(), step
        for rows in (self._metrics, self._times):
            if rows is not None:
                rows.sync()
        if self._draw is not None:
            self._draw()

    def save_best(
        self,
        step: int,
        content: bytes,
        *,
        name: str,
        metric: str,
        value: float,
        beside: Mapping[str, bytes] | None = None,
    ) -> None:
        """Keep the best model so far: its file, others it needs, and best.json (sums, step, value), all or nothing."""
        beside = beside or {}
        digest = hashlib.sha256(content).hexdigest()
        facts = {
            "file": name,
            "sha256": digest,
            "bytes": len(content),
            "step": step,
            "metric": metric,
            "value": value,
            "beside": {other: hashlib.sha256(data).hexdigest() for other, data in beside.items()},
        }
        with committed_directory(self.folder.best) as new:
            for file, data in {name: content, **beside}.items():
                (new / file).write_bytes(data)
            (new / "best.json").write_text(json.dumps(facts, indent=2) + "\n")

    # Layer 3

    def finalise(
        self,
        *,
        status: str,
        reason: str,
        more: Mapping[str, Any] | None = None,
        report: Callable[[], object] | None = None,
    ) -> ArchiveRef:
        """Write the summary, the report and the archive: zip with SHA256SUMS, and its own sha256 beside it."""
        try:
            self.settle()
        finally:
            self.close()
        with FileLock(self.folder.finalising):
            write_json(
                self.folder.summary, summary_from_disk(self.folder, status=status, reason=reason, more=more)
            )
            if report is not None:
                report()
            return package(self.folder.root)

    def on_timeout_signal(self) -> ArchiveRef | None:
        """The machine is about to end: finalise what is there and return; never leaves the interpreter."""
        try:
            return self.finalise(status=STOPPED, reason="timeout_signal")
        except KitError:
            logger.exception(
                "Finalising failed; layers 1 and 2 are on disk, `package` makes the archive from them."
            )
            return None

    def close(self) -> None:
        """End the background thread and close the row files."""
        self._background.shutdown(wait=True)
        for rows in (self._metrics, self._times):
            if rows is not None:
                rows.close()
