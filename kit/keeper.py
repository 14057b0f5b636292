"""Keeping a run: what is restored, checkpointed and exported, and when a result is exact."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.errors import IntegrityError, KitError, StorageError
from kit.harness.checkpoints import CheckpointRef, Skipped
from kit.harness.outputs import RobustOutputManager
from kit.harness.provenance import versions
from kit.harness.summary import COMPLETE, read_json, write_json
from kit.runtime import device_in_use, processor, threads_in_use
from kit.tensors import appended, decode, encode, snapshot
from kit.timing.measurement import measured_of
from kit.timing.sessions import Row, summed, summed_nesting
from kit.trust import refuse_pickled

if TYPE_CHECKING:
    from kit.session import TrainingSession

logger = logging.getLogger(__name__)

Capture = Callable[[], Any]
"""Returns the state of the workload as a tree for ``kit.tensors``."""


class Keeper:
    """Writes and reads the checkpoints and exports of one session.

    ``trained`` says whether the total was reached; it is part of a checkpoint, so that a session which finds it
    goes straight on to what comes after training. ``inexact_reason`` is None as long as a resume is exact.
    """

    def __init__(self, session: TrainingSession, outputs: RobustOutputManager) -> None:
        self._session, self._outputs = session, outputs
        self.trained = False
        self.earlier_phases, self._earlier_nested = self._earlier_timing()
        """``earlier_phases``: the phases of the sessions before this one."""
        self._versions = versions()  # ten packages' metadata: a parse that no checkpoint should wait for

    def _earlier_timing(self) -> tuple[list[Row], list[Row]]:
        """Return phases and nestings of the sessions before this one, as their last exports left them."""
        path = self._session.folder.timing
        try:
            there = read_json(path)
            return summed(there.get("phases", [])), summed_nesting(there.get("nested", []))
        except (KitError, ValueError, TypeError, KeyError) as error:
            logger.warning("%s cannot be read, its phases are not counted on: %s", path.name, error)
            return [], []

    def phases(self) -> list[Row]:
        """Return a row a phase, summed over the sessions of the run up to this instant."""
        return summed(self.earlier_phases, self._session.timer.rows())

    def timing(self) -> dict[str, Any]:
        """Return what timing.json holds up to this instant: phases, and which of them were entered inside which."""
        nested = summed_nesting(self._earlier_nested, self._session.timer.nesting())
        return {"phases": self.phases(), "nested": nested}

    def restore(self) -> Any | None:
        """Return the tree of the newest checkpoint that verifies, or None; rows after its step are dropped."""
        session, outputs = self._session, self._outputs

        def skipped(folder: Path, why: str) -> None:
            logger.warning("Checkpoint %s is skipped: %s", folder.name, why)

        outputs.settle()  # one still in writing would be of a later step than the rows that are kept
        with session.phase("checkpoint", count=0):
            newest, saved = self._newest(skipped)
        session.step = newest.step if newest is not None else 0
        session.entry.first_step = session.entry.last_step = session.step
        outputs.open_rows(session.step if newest is not None else -1)
        if newest is None or saved is None:
            logger.info("A fresh run of %s steps.", f"{session.total_timesteps:,}")
            return None
        if not newest.exact and session.exact:
            why = newest.extra.get("inexact_reason") or "it was said when the checkpoint was written"
            session.inexact(str(why))
        self._note_runtime(newest.extra.get("runtime", {}))
        logger.info("Resumed at step %s of %s.", f"{session.step:,}", f"{session.total_timesteps:,}")
        self.trained = bool(saved["trained"])
        return saved["tree"]

    def _newest(self, skipped: Skipped) -> tuple[CheckpointRef | None, Any]:
        """Return the newest checkpoint that verifies and can be read, with its tree."""
        checkpoints = self._outputs.checkpoints
        newest = checkpoints.newest(skipped)
        while newest is not None:
            try:
                return newest, self._load(newest)
            except IntegrityError as error:
                skipped(newest.path, str(error))
                newest = checkpoints.newest(skipped, before=newest.step)
        return None, None

    def _load(self, reference: CheckpointRef) -> Any:
        """Return a checkpoint's tree; what it holds as logs is read from disk when the workload asks for it."""
        checkpoints = self._outputs.checkpoints
        tree = decode(checkpoints.load(reference), lambda log: checkpoints.frames(reference, log))
        if not isinstance(tree, dict) or not {"tree", "trained"} <= tree.keys():
            raise IntegrityError(f"{reference.path} holds no state of a run.", [reference.path.name])
        refuse_pickled(reference, tree, trust=self._session.options.trust)
        checkpoints.continue_from(reference)
        return tree

    def _runtime(self) -> dict[str, Any]:
        threads = threads_in_use(self._session.options.threads)
        return {
            "threads": threads,
            "device": device_in_use(),
            "processor": processor(),
            "versions": self._versions,
        }

    def _note_runtime(self, there: Mapping[str, Any]) -> None:
        """What ``_runtime`` tells changes the last bits of results: say so when it is not as before."""
        here = self._runtime()
        changed = [name for name in here if there.get(name) != here[name]]
        if changed and self._session.exact:
            verb = "differs" if changed in (["device"], ["processor"]) else "differ"
            self._session.inexact(f"{' and '.join(changed)} {verb} from what wrote the checkpoint")

    def checkpoint(self, step: int, capture: Capture) -> None:
        """Snapshot now, persist in the background (layer 1)."""
        session = self._session
        with session.phase("checkpoint"):
            self._outputs.settle()  # what is captured depends on what has been committed
            began = session.clock.monotonic()
            tree = snapshot({"tree": capture(), "trained": self.trained})
            extra = {"runtime": self._runtime(), "inexact_reason": session.inexact_reason}
            self._outputs.save_checkpoint(
                step,
                lambda: encode(tree),
                exact=session.exact,
                extra=extra,
                append=appended(tree),
                beside=session.counts_on(),
                stall_s=session.clock.monotonic() - began,
            )

    def last_checkpoint(self, step: int, capture: Capture) -> None:
        """Take the checkpoint that the session ends with, and wait for it; where it fails it is taken once more.

        Raises:
            StorageError: it could not be written at either attempt; says where the run stands.
        """
        outputs = self._outputs
        outputs.wait()  # one before it that failed does not matter any more
        fault = self._taken(step, capture)
        if fault is not None:
            logger.warning("The last checkpoint could not be written, it is tried once more: %s", fault)
            with suppress(OSError):  # a full disk is the most likely fault
                outputs.prune()
            fault = self._taken(step, capture)
        if fault is not None:
            newest = outputs.checkpoints.newest()
            stands = f"stands at step {newest.step:,}" if newest else "has no checkpoint, and begins anew"
            raise StorageError(
                f"The last checkpoint, of step {step:,}, could not be written at two attempts; "
                f"the run {stands}: {fault}"
            ) from fault

    def _taken(self, step: int, capture: Capture) -> OSError | None:
        self.checkpoint(step, capture)
        # Of all checkpoints only the last is waited for, so this is part of the end and of no checkpoint's mean.
        with self._session.companions.phase("finalise", 0, shown="checkpoint"):
            return self._outputs.wait()

    def export(self, step: int) -> None:
        """Refresh what a person can already use (layer 2)."""
        session = self._session
        with session.phase("export"):
            self.note_progress(step)
            write_json(session.folder.timing, self.timing())
            self._outputs.save_intermediate_results(step)

    def note_progress(self, step: int) -> None:
        """Write the session's entry of the ledger."""
        session = self._session
        session.entry.last_step, session.entry.elapsed_s = step, round(session.elapsed_s(), 3)
        session.ledger.save()

    def finalise(self, status: str, reason: str, write_report: Callable[[], object]) -> dict[str, Any]:
        """Write layer 3 and return the summary."""
        session, outputs = self._session, self._outputs
        fault = outputs.wait()
        if fault is not None:
            logger.warning("The last checkpoint could not be written: %s", fault)
            reason = f"{reason}; the last checkpoint could not be written: {fault}"
        session.entry.end = reason
        self.note_progress(session.step)
        session.timer.add_count("finalise", 1)
        timing = self.timing()
        if session.quick_test:
            plan = session.planner.plan
            timing["measured"] = measured_of(session.folder, outputs, session.log, plan, session.step)
            timing["measured"]["windows"] = session.outlook.trace.windows()
            timing["measured"]["busy_share"] = session.outlook.busy_share()
        else:
            timing["reforecasts"] = session.outlook.as_json()
        write_json(session.folder.timing, timing)
        session.log.flush()
        outputs.finalise(status=status, reason=reason, more=self._facts(status), report=write_report)
        return read_json(session.folder.summary)

    def _facts(self, status: str) -> dict[str, Any]:
        """Return what the files do not say; the step of a run that is not complete is that of its checkpoint."""
        session = self._session
        step = {"step": session.step} if status == COMPLETE else {}
        to_do = (
            None if status == COMPLETE else session.outlook.still_to_do(session.step, session.total_timesteps)
        )
        return {
            **step,
            "still_to_do": to_do,
            "cpu_s": round(sum(float(row["cpu_s"]) for row in self.phases()), 3),
            "total_timesteps": session.total_timesteps,
            "requested_timesteps": session.requested_timesteps,
            "exact": session.exact,
            "inexact_reason": session.inexact_reason,
            "quick_test": session.quick_test,
            "log": {tag: count for tag, count in session.log.counts().items() if any(count.values())},
            "scalings": session.record_of_run.on_disk().get("scalings", []),
        }
