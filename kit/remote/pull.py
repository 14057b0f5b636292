"""Pull: brings what a kernel left home, as a run folder that ``run`` and ``extrapolate`` take like a local one.

The archive is downloaded, verified and unpacked. Where a session was killed, so that there is none or an older one, the
loose files come instead; each checkpoint is verified, and the archive is made here. Everything happens in a folder
beside, which becomes the run folder in one step: a kill, a full disk or a damaged archive leaves nothing half.
"""

from __future__ import annotations

import glob
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError, RemoteBusyError, UsageError
from kit.harness.atomic import make_durable, storage_errors, temporary_for
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder, move_aside
from kit.harness.store import discard, is_stale, sha256_file
from kit.harness.summary import read_json
from kit.harness.unpack import read_sums
from kit.harness.verify import ARCHIVE, LEDGER
from kit.notebooks.package import package_run
from kit.notebooks.unpack import command_to_continue, unpack_run
from kit.remote.client import KaggleClient
from kit.remote.download import Address
from kit.remote.interruption import interrupted_pull, told_when_interrupted
from kit.remote.kernel_ref import KernelRef
from kit.remote.left_summary import read_left_summary
from kit.remote.log_text import readable
from kit.remote.output_listing import OutputListing
from kit.remote.output_run import SUM, NothingLeftError, OutputRun, run_in
from kit.remote.pulled import Pulled, known_by, ledger_sum, read_pulled
from kit.remote.replies import KernelStatus
from kit.remote.soundness import checkpoints_in, files_at_fault, refuse_damaged, step_of, without_sum

logger = logging.getLogger(__name__)

OLDER = "older"
KERNEL_LOG = "kaggle.log"
Progress = Callable[[int], object]


@dataclass(frozen=True)
class PullOrder:
    """What to bring, and where to: ``out`` is the run folder.

    ``fresh`` moves a run that is there aside; ``replace`` deletes it, where it is not what would come; ``loose`` takes
    the loose files whether there is an archive or not.
    """

    ref: KernelRef
    out: Path
    fresh: bool = False
    loose: bool = False
    replace: bool = False


class Pull:
    """One pull; ``progress`` is told the bytes of every piece that came."""

    def __init__(self, client: KaggleClient, order: PullOrder, progress: Progress = lambda _: None) -> None:
        self._client, self._order = client, order
        self._downloads = client.downloads(progress)
        self._listing = OutputListing()
        self._bytes = 0
        self._unpacking: dict[str, Any] = {}
        self._ledger = ""

    def run(self) -> dict[str, Any]:
        """Bring it home.

        Returns ``{run_dir, kernel, kernel_status, failure_message, status, reason, step, total_timesteps, resumable,
        bytes, files, source (archive, files or unchanged), unverified, checkpoints, ok, continue_with}``; ``status`` is
        the run's, ``unverified`` are the files that came and that no checksum covered.

        Raises:
            LeftRunningError: it was interrupted; nothing half is kept.
            RemoteBusyError: it still runs, so what it leaves is not there yet.
            NothingLeftError: it left no run, or none with a checkpoint.
            RemoteError: the files cannot be had.
            UsageError: the folder holds something else, and nobody said ``fresh``.
            IntegrityError: what came is damaged; nothing was kept.
            StorageError: the disk is full; nothing was kept.
        """
        order = self._order
        with told_when_interrupted(lambda: interrupted_pull(order.ref, order.out)):
            return self._run()

    def _run(self) -> dict[str, Any]:
        order = self._order
        status = self._client.status(order.ref)
        if status.under_way:
            raise RemoteBusyError(
                f"{order.ref} is {status.state}: what it leaves is there once it has ended."
            )
        self._listing = self._client.output(order.ref)
        try:
            run = run_in(self._listing.files, order.ref.notebook, str(order.ref))
        except NothingLeftError as error:
            why = f": {status.message}" if status.message else ""
            raise NothingLeftError(f"{error} Kaggle says {status.state}{why}.") from None
        unverified = self._here(run)
        if unverified is not None:
            return self._unchanged(status, unverified)
        if order.replace:
            shutil.rmtree(order.out, ignore_errors=True)
        self.refuse_occupied()
        return self._bring(run, status)

    def _here(self, run: OutputRun) -> list[str] | None:
        """Return what was unverified of this very output, if it is here already and nothing was done there since."""
        if self._has_its_archive(run):
            return []
        noted = read_pulled(self._order.out)
        if noted is None or noted.output != self._known_by(run) or (self._order.loose and not noted.loose):
            return None
        with self._workplace() as work:
            if LEDGER in run.names:
                self._fetch(run, LEDGER, work / LEDGER)
            return noted.unverified if ledger_sum(work) == noted.ledger else None

    def _has_its_archive(self, run: OutputRun) -> bool:
        beside, archive = self._order.out / SUM, self._order.out / ARCHIVE
        if not (beside.is_file() and archive.is_file() and SUM in run.names) or self._order.loose:
            return False
        with self._workplace() as work:
            self._fetch(run, SUM, work / SUM)
            there = read_sums((work / SUM).read_bytes())
        return list(there.values()) == [sha256_file(archive)] and there == read_sums(beside.read_bytes())

    def _known_by(self, run: OutputRun) -> str:
        return known_by(self._listing, run, str(self._order.ref))

    def _unchanged(self, status: KernelStatus, unverified: list[str]) -> dict[str, Any]:
        found = {"source": "unchanged", "files": 0, "continue_with": "", "unverified": unverified}
        return self._found(status, found, checkpoints_in(self._order.out))

    def refuse_occupied(self) -> None:
        """Raise UsageError where the folder holds something that is not to be moved; a kernel is not asked for."""
        out = self._order.out
        if out.exists() and not out.is_dir():
            raise UsageError(f"{out} is a file; --out is a folder.")
        RunFolder(out).refuse_foreign()
        if not self._order.fresh and out.is_dir() and any(out.iterdir()):
            raise UsageError(
                f"{out} holds another state of the run. --fresh moves that aside, or give another --out.",
                "--fresh",
            )
        if RunFolder(out).holds_a_run():
            FileLock(
                RunFolder(out).lock
            ).acquire().release()  # a run that goes on here is not moved from under it

    def _bring(self, run: OutputRun, status: KernelStatus) -> dict[str, Any]:
        out = self._order.out
        with self._workplace() as work:
            made = work / "run"
            found = self._from_archive(run, made) if run.archived and not self._order.loose else None
            found = found or self._from_later_files(run, made)
            self._keep_log(made)
            self._note(run, made, found)
            checkpoints = checkpoints_in(made)
            with storage_errors(out):
                if out.is_dir() and any(out.iterdir()):
                    logger.warning("The run that was in %s is now in %s.", out, move_aside(RunFolder(out)))
                elif out.is_dir():
                    out.rmdir()
                made.rename(out)
        make_durable(out)
        found["continue_with"] = str(found["continue_with"]).replace(str(made), str(out))
        return self._found(status, found, checkpoints)

    def _note(self, run: OutputRun, made: Path, found: dict[str, Any]) -> None:
        """Note what came where no sum of the output's would know it again."""
        loose = found["source"] == "files"
        if loose or SUM not in run.names:
            archive = sha256_file(made / ARCHIVE)
            Pulled(self._known_by(run), self._ledger, archive, loose, found["unverified"]).note_in(made)

    def _from_archive(self, run: OutputRun, made: Path) -> dict[str, Any] | None:
        """Return what unpacking found; None where the loose files are of a later step than the archive's."""
        try:
            found = self._unpacked(run, made)
        except IntegrityError as error:
            # A byte may have changed on the way; a second copy with the same fault is the fault of what lies there.
            logger.warning("The archive does not verify, it is downloaded again: %s", error)
            found = self._unpacked(run, made)
        self._unpacking = found
        newest = max(map(step_of, found["checkpoints"]), default=-1)
        if run.step > newest:
            logger.warning(
                "The archive is of step %s, the files beside it of step %s: the session was killed before it made "
                "another. The files are taken.",
                f"{newest:,}",
                f"{run.step:,}",
            )
            made.rename(made.with_name(OLDER))
            return None
        return self._with_its_archive(made, found)

    def _with_its_archive(self, made: Path, found: dict[str, Any]) -> dict[str, Any]:
        for name in (ARCHIVE, SUM):
            if made.with_name(name).is_file():
                made.with_name(name).rename(made / name)
        self._ledger = ledger_sum(made)
        # The sums inside cover its members, not its own directory.
        unverified = [] if (made / SUM).is_file() else [ARCHIVE]
        kept = {name: found[name] for name in ("files", "continue_with")}
        return {"source": "archive", "unverified": unverified, **kept}

    def _unpacked(self, run: OutputRun, made: Path) -> dict[str, Any]:
        for name in (SUM, ARCHIVE):
            if name in run.names:
                self._fetch(run, name, made.with_name(name))
        return unpack_run(made.with_name(ARCHIVE), made)

    def _from_later_files(self, run: OutputRun, made: Path) -> dict[str, Any]:
        """Bring the loose files; where they are damaged, the archive that was verified before, of an older step."""
        older = made.with_name(OLDER)
        try:
            return self._from_files(run, made)
        except IntegrityError as error:
            if not older.is_dir():
                raise
            logger.warning("%s The archive of the older step is taken.", error)
        shutil.rmtree(made)
        older.rename(made)
        return self._with_its_archive(made, self._unpacking)

    def _from_files(self, run: OutputRun, made: Path) -> dict[str, Any]:
        """Bring the loose files and make the archive of them here."""
        names = run.loose()
        if "run.json" not in names:
            raise NothingLeftError(
                f"{self._order.ref} left a folder {run.root}, and no run.json in it: no run."
            )
        if run.step < 0:
            raise NothingLeftError(
                f"{self._order.ref} left a run without a checkpoint: there is nothing to continue."
            )
        for name in names:
            self._fetch(run, name, made / name)
        # A byte may have changed on the way; a second copy with the same fault is the fault of what lies there.
        for name in files_at_fault(made, names):
            logger.warning("%s does not verify, it is downloaded again.", name)
            self._fetch(run, name, made / name)
        refuse_damaged(made, str(self._order.ref))
        self._ledger, unverified = ledger_sum(made), without_sum(made, names)
        package_run(made)
        facts = read_json(made / "run.json")
        command = command_to_continue(str(facts.get("notebook") or "run"), facts, made)
        found = {"source": "files", "files": len(names), "continue_with": command}
        return {**found, "unverified": unverified}

    def _found(
        self, status: KernelStatus, found: dict[str, Any], checkpoints: list[dict[str, Any]]
    ) -> dict[str, Any]:
        summary = read_left_summary(self._order.out / "summary.json")
        total = read_json(self._order.out / "run.json").get("total_timesteps", 0)
        sound = [step_of(one) for one in checkpoints if one["fault"] is None]
        return {
            "run_dir": str(self._order.out),
            "kernel": str(self._order.ref),
            "kernel_status": status.state,
            "failure_message": status.message,
            "status": summary.get("status", "failed"),
            "reason": summary.get("reason", ""),
            "step": summary.get("step", max(sound, default=0)),
            "total_timesteps": summary.get("total_timesteps", total if isinstance(total, int) else 0),
            "resumable": bool(summary.get("resumable")),
            "bytes": self._bytes,
            **found,
            "checkpoints": checkpoints,
            "ok": not checkpoints or any(one["fault"] is None for one in checkpoints),
        }

    def _keep_log(self, made: Path) -> None:
        if self._listing.log:
            path = made / "logs" / KERNEL_LOG
            path.parent.mkdir(parents=True, exist_ok=True)
            with storage_errors(path):
                path.write_text(readable(self._listing.log), encoding="utf-8")

    def _fetch(self, run: OutputRun, name: str, path: Path) -> None:
        full = run.name(name)
        path.unlink(missing_ok=True)
        self._bytes += self._downloads.to(path, self._address(full), full)

    def _address(self, name: str) -> Address:
        def address(anew: bool) -> str:
            if anew:
                self._listing.files.update(self._client.output(self._order.ref).files)
            return self._listing.files[name]

        return address

    @contextmanager
    def _workplace(self) -> Iterator[Path]:
        """Give a folder beside the run folder, on the same disk, which is gone afterwards."""
        out = self._order.out
        with storage_errors(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            for left in out.parent.glob(f".{glob.escape(out.name)}.*.tmp"):
                if is_stale(left.name):
                    discard(left)
        with temporary_for(out, "tmp") as work:
            try:
                with storage_errors(out):
                    work.mkdir()
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)
