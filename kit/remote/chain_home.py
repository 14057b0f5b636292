"""Homecoming: what a session of a chain left is brought home, and made ready for the session after it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.errors import ConfigMismatchError, IntegrityError, RemoteError
from kit.harness.config import refuse_other_config
from kit.harness.deadline import DEFAULT_SESSION_S, HOUR_S
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder, move_aside
from kit.harness.store import discard, sha256_file
from kit.harness.summary import COMPLETE, FAILED, read_json
from kit.harness.verify import ARCHIVE
from kit.remote.chain_state import ChainFolder, ChainSession, ChainState
from kit.remote.checkpoint_dataset import dataset_ref, send, wait_until_ready
from kit.remote.client import KaggleClient
from kit.remote.delivery import METADATA, was_taken
from kit.remote.kernel_ref import KernelRef
from kit.remote.log_text import log_lines
from kit.remote.output_run import NothingLeftError
from kit.remote.pull import Pull, PullOrder

logger = logging.getLogger(__name__)


@dataclass
class Homecoming:
    """Takes over from sessions that have ended; writes what it finds into ``state``, and has it kept by ``save``.

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
    save: Callable[[], object] = lambda: None

    def take(self, session: ChainSession) -> None:
        """Bring home what a session left, and say where the next one gets it from.

        Raises:
            IntegrityError: what it left is damaged, and is not given up.
            RemoteError: Kaggle refuses, or cannot be reached; or another version is in the session's place.
            ConfigMismatchError: it left a run of other settings than the one at home.
            StorageError: the disk is full; what was at home is as it was.
        """
        state = self.state
        self._put_back()
        if not self._is_home(session):
            self._bring_home(session)
        if session.without_sources is None and session.step > session.from_step:
            session.without_sources = False  # it went on from what it was to be given
        # A notebook that failed has not done what it does, even where its run is complete.
        state.complete = session.run_status == COMPLETE and session.kernel_status != "ERROR"
        state.stopped = "" if state.complete else self._why_no_more(session)
        if not state.complete:
            self._hand_over(session)

    def _is_home(self, session: ChainSession) -> bool:
        """Whether what it left was brought home by a call before, which ended before the next session was prepared."""
        return bool(session.run_status) and _is_as_left(self.folder.out, {self.state.home_sha256})

    def _bring_home(self, session: ChainSession) -> None:
        """Bring home what a session left, if it left a run, and note what became of it."""
        state = self.state
        found = self._bring(session) if self._is_its_own(session) else None
        session.gpu_hours = self._gpu_hours(session)
        session.step = max(0, state.home_step) if found is None else int(found["step"])
        if found is not None:
            session.run_status, session.reason = str(found["status"]) or FAILED, str(found["reason"])
            state.total_timesteps = int(found["total_timesteps"] or 0)
            self._put_home(found, session)
            self.save()

    def _is_its_own(self, session: ChainSession) -> bool:
        """Whether the newest version is that of the session; False where it is not, and the session is given up."""
        if was_taken(self.client, self.ref, session.mark):
            return True
        text = (
            f"The newest version of {self.ref} is not the one that session {session.number} of this chain pushed: "
            "another was pushed since, or it was deleted."
        )
        if not self.give_up:
            raise RemoteError(
                f"{text} What that session left is not brought home. --retry gives it up and goes on from what is at "
                "home; --fresh begins anew."
            )
        self.tell(f"{text} The session is given up.")
        return False

    def _bring(self, session: ChainSession) -> dict[str, Any] | None:
        """Return what pulling found, in the incoming folder; None where nothing survived that could be continued."""
        order = PullOrder(self.ref, self.folder.incoming, replace=True)
        try:
            try:
                found = Pull(self.client, order).run()
            except IntegrityError as error:
                logger.warning("Session %d: %s The loose files are tried.", session.number, error)
                found = Pull(self.client, replace(order, loose=True)).run()
            self._refuse_other()
        except NothingLeftError as error:
            self.tell(f"session {session.number}: {error}")
        except (IntegrityError, ConfigMismatchError) as error:
            if not self.give_up:
                raise
            self.tell(f"session {session.number}: {error} It is given up.")
        else:
            return found
        return None

    def _refuse_other(self) -> None:
        """Raise ConfigMismatchError where what came is of another configuration than the run at home."""
        here, came = (read_json(path / "run.json") for path in (self.folder.out, self.folder.incoming))
        hashes = here.get("config_hash"), came.get("config_hash")
        if hashes[0] and hashes[0] != hashes[1]:
            refuse_other_config(self.folder.out, here.get("config") or {}, came.get("config") or {})
            raise ConfigMismatchError(
                f"{self.folder.out} holds a run of another configuration than the one that came home. Nothing was "
                "changed. --retry gives that one up; --fresh begins anew.",
                {"config_hash": hashes},
            )

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
                out.rename(self.folder.replaced)
            else:
                logger.warning("The run that was in %s is now in %s.", out, move_aside(RunFolder(out)))
        incoming.rename(out)
        state.home_step, state.home_sha256 = step, sha256_file(out / ARCHIVE)
        if self.folder.replaced.exists():
            discard(self.folder.replaced)

    def _put_back(self) -> None:
        """Put the run back home that a chain which was killed had moved out of the way for a newer one."""
        replaced = self.folder.replaced
        if replaced.exists() and self.folder.out.exists():
            discard(replaced)
        elif replaced.exists():
            replaced.rename(self.folder.out)

    def _why_no_more(self, session: ChainSession) -> str:
        """Return why another session would be paid for nothing; empty where it is worth it."""
        brought_a_run = bool(session.run_status)
        why = session.message or session.reason or "its log says why"
        if session.run_status == COMPLETE:
            return f"the run is complete, but the notebook of session {session.number} failed after it: {why}"
        # Without its source it could bring nothing, and where nobody knows it may have been so: the next one gets the
        # run by a dataset, once.
        handed_nothing = session.without_sources is not False and session.carry == "kernel"
        excused = handed_nothing or (self.give_up and not brought_a_run)
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
        left_it = bool(session.run_status) and session.step == state.home_step
        whole = session.kernel_status == "COMPLETE" and left_it
        if whole and not self.by_dataset and not session.without_sources:
            state.carry = "kernel"
            return
        if state.dataset_step != state.home_step:
            self._upload(session)
        state.carry = "dataset"

    def _upload(self, session: ChainSession) -> None:
        """Upload the run at home, once, and wait for that version alone."""
        state, name = self.state, dataset_ref(self.ref)
        if state.sent_step != state.home_step:
            self.tell(f"session {session.number} left step {session.step:,}; uploading it as {name}")
            state.sent_after = send(
                self.client, self.ref, self.folder.out, self.folder.dataset, state.home_step
            )
            state.sent_step = state.home_step
            self.save()
            shutil.rmtree(self.folder.uploads, ignore_errors=True)
        state.dataset_version = wait_until_ready(self.client, name, state.sent_after)
        state.dataset_step = state.home_step

    def _gpu_hours(self, session: ChainSession) -> float:
        """Return what the newest session cost: by the last line of its log where it came to an end by itself.

        One that hung until it was stopped said nothing of the hours since: it counts as long as it may have taken. So
        does one without a log. 0 where it had no GPU.
        """
        if not read_json(self.folder.kernel / METADATA).get("enable_gpu"):
            return 0.0
        most_s = session.limit_s or DEFAULT_SESSION_S
        if session.kernel_status not in ("COMPLETE", "ERROR"):
            return most_s / HOUR_S
        lines = log_lines(self.client.output(self.ref).log)
        return (max((line.time_s for line in lines), default=0.0) or most_s) / HOUR_S


def _is_as_left(out: Path, sums: set[str]) -> bool:
    """Whether the run folder is as this chain put it there, by its archive's sum: nobody has continued it here."""
    archive = out / ARCHIVE
    return archive.is_file() and sha256_file(archive) in sums
