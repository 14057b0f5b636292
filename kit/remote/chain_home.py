"""Homecoming: what a session of a chain left is brought home, and made ready for the session after it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError
from kit.harness.deadline import HOUR_S
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder, move_aside
from kit.harness.store import retire, sha256_file
from kit.harness.summary import COMPLETE, FAILED, read_json
from kit.harness.verify import ARCHIVE
from kit.remote.chain_state import ChainFolder, ChainSession, ChainState
from kit.remote.checkpoint_dataset import dataset_ref, upload
from kit.remote.client import KaggleClient
from kit.remote.delivery import METADATA
from kit.remote.kernel_ref import KernelRef
from kit.remote.log_text import log_lines
from kit.remote.output_run import NothingLeftError
from kit.remote.pull import Pull, PullOrder

logger = logging.getLogger(__name__)


@dataclass
class Homecoming:
    """Takes over from sessions that have ended; writes what it finds into ``state``, which the caller keeps.

    ``by_dataset`` hands over by a dataset even where a version could be attached; ``give_up`` goes on without an output
    that cannot be read, instead of trying again in the next call.
    """

    client: KaggleClient
    ref: KernelRef
    folder: ChainFolder
    state: ChainState
    tell: Callable[[str], object]
    by_dataset: bool = False
    give_up: bool = False

    def take(self, session: ChainSession) -> None:
        """Bring home what a session left, and say where the next one gets it from.

        Raises:
            IntegrityError: what it left is damaged, and is not given up.
            RemoteError: Kaggle refuses, or cannot be reached.
            StorageError: the disk is full; what was at home is as it was.
        """
        state = self.state
        session.gpu_hours = self._gpu_hours()
        found = self._bring(session)
        session.step = max(0, state.home_step) if found is None else int(found["step"])
        if found is not None:
            session.run_status, session.reason = str(found["status"]), str(found["reason"])
            state.total_timesteps = int(found["total_timesteps"] or 0)
            self._put_home(found, session)
        state.complete = session.run_status == COMPLETE
        state.stopped = "" if state.complete else self._why_no_more(session, found is not None)
        if not state.complete:
            self._hand_over(session)

    def _bring(self, session: ChainSession) -> dict[str, Any] | None:
        """Return what pulling found, in the incoming folder; None where nothing survived that could be continued."""
        incoming = self.folder.incoming
        shutil.rmtree(incoming, ignore_errors=True)
        try:
            try:
                return Pull(self.client, PullOrder(self.ref, incoming)).run()
            except IntegrityError as error:
                logger.warning("Session %d: %s The loose files are tried.", session.number, error)
                return Pull(self.client, PullOrder(self.ref, incoming, loose=True)).run()
        except NothingLeftError as error:
            self.tell(f"session {session.number}: {error}")
        except IntegrityError as error:
            if not self.give_up:
                raise
            self.tell(f"session {session.number}: {error} It is given up.")
        return None

    def _put_home(self, found: Mapping[str, Any], session: ChainSession) -> None:
        """Put what came in the place of the run at home, if it is further on."""
        state, out, incoming = self.state, self.folder.out, self.folder.incoming
        step, done = int(found["step"]), found["status"] == COMPLETE
        if step < state.home_step or (step == state.home_step and not done and out.exists()):
            logger.warning("Session %d left step %s: what is at home stays.", session.number, f"{step:,}")
            return
        if out.exists():
            FileLock(
                RunFolder(out).lock
            ).acquire().release()  # a run that goes on here is not moved from under it
            if _is_as_left(out, {state.home_sha256, sha256_file(incoming / ARCHIVE)}):
                retire(out)
            else:
                logger.warning("The run that was in %s is now in %s.", out, move_aside(RunFolder(out)))
        incoming.rename(out)
        state.home_step, state.home_sha256 = step, sha256_file(out / ARCHIVE)

    def _why_no_more(self, session: ChainSession, brought_a_run: bool) -> str:
        """Return why another session would be paid for nothing; empty where it is worth it."""
        why = session.message or session.reason or "its log says why"
        # Without its source it could bring nothing; the next one gets the run by a dataset, once.
        excused = session.without_sources and session.carry == "kernel"
        if not excused and not (brought_a_run and session.step > session.from_step):
            return f"session {session.number} brought nothing: {session.kernel_status} ({why})"
        before = self.state.sessions[-2] if len(self.state.sessions) > 1 else None
        alike = before is not None and (before.run_status, before.reason) == (FAILED, session.reason)
        if session.kernel_status == "ERROR" and session.run_status == FAILED and alike:
            return f"sessions {session.number - 1} and {session.number} failed alike: {why}"
        return ""

    def _hand_over(self, session: ChainSession) -> None:
        """Decide where the next session gets the run at home from; upload it where no version holds it."""
        state = self.state
        if state.home_step < 0:
            return
        whole = session.kernel_status == "COMPLETE" and session.step == state.home_step
        if whole and not self.by_dataset and not session.without_sources:
            state.carry = "kernel"
            return
        if state.dataset_step != state.home_step:
            name = dataset_ref(self.ref)
            self.tell(f"session {session.number} left step {session.step:,}; uploading it as {name}")
            state.dataset_version = upload(
                self.client, self.ref, self.folder.out, self.folder.dataset, state.home_step
            )
            state.dataset_step = state.home_step
        state.carry = "dataset"

    def _gpu_hours(self) -> float:
        """Return what the newest session cost, by the last line of its log; 0 where it had no GPU."""
        if not read_json(self.folder.kernel / METADATA).get("enable_gpu"):
            return 0.0
        lines = log_lines(self.client.output(self.ref).log)
        return max((line.time_s for line in lines), default=0.0) / HOUR_S


def _is_as_left(out: Path, sums: set[str]) -> bool:
    """Whether the run folder is as this chain put it there, by its archive's sum: nobody has continued it here."""
    archive = out / ARCHIVE
    return archive.is_file() and sha256_file(archive) in sums
