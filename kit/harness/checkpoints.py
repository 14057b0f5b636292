"""Layer 1: checkpoints, what a run resumes from.

A checkpoint is a directory ``step-000012000`` with data files and, written last, ``manifest.json`` with
their sizes and SHA-256 sums; it appears by one rename when everything in it is on disk. What only ever grows
is appended to segments beside the checkpoints (``segments``), which those that are kept share. Loading walks back
from the newest to the first that verifies, and hands out only bytes that were checked. How a model becomes
bytes is not known here: names and contents are handed in.

Covered: kills at any instant, full disks, flipped bytes, another configuration's checkpoints in the same
folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from kit.errors import ConfigMismatchError, IntegrityError, UsageError
from kit.harness.atomic import storage_errors
from kit.harness.manifest import (
    MANIFEST,
    STEP_FOLDER,
    CheckpointRef,
    FileRecord,
    compare,
    damaged,
    is_plain_name,
    open_regular,
    read_manifest,
    verify_checkpoint,
)
from kit.harness.origin import Origin
from kit.harness.segment_format import SEGMENTS, Frame, read_frames
from kit.harness.segments import Append, SegmentLog
from kit.harness.store import committed_directory, retire, sha256_file, sweep

__all__ = ["CheckpointRef", "CheckpointStore", "Content", "FileRecord", "Skipped"]

logger = logging.getLogger(__name__)

Content = bytes | bytearray | memoryview | Callable[[BinaryIO], None]
"""A file of a checkpoint: its bytes, or a function that writes them to a binary file."""
Skipped = Callable[[Path, str], None]
"""Told of a checkpoint that was passed over: its folder, and why."""


class CheckpointStore:
    """The checkpoints of one run, in the folder ``root``, which is made at the first save.

    The ``keep`` newest that verify are kept; ``origin`` signs them. Those of another configuration are never
    deleted. Safe to call from several threads of one process.
    """

    def __init__(self, root: Path, config_hash: str, keep: int = 2, origin: Origin | None = None) -> None:
        if keep < 1:
            raise UsageError(f"At least one checkpoint must be kept, not {keep}.")
        self.root, self.config_hash, self.keep = root, config_hash, keep
        self._origin = origin
        self._lock = threading.Lock()
        self._log = SegmentLog(root / SEGMENTS)
        # Verified or written by this process: pruning need not hash them again.
        self._sound: set[Path] = set()

    def save(
        self,
        step: int,
        files: Mapping[str, Content],
        *,
        exact: bool,
        extra: Mapping[str, Any] | None = None,
        append: Sequence[Append] = (),
        beside: Sequence[FileRecord] = (),
    ) -> CheckpointRef:
        """Commit a checkpoint and prune older ones.

        One of the same step and configuration that verifies stays as it is, and nothing is appended; a broken one
        is replaced. A log that is not appended to ends: it is no part of this checkpoint.

        Args:
            step: Environment steps done, zero or more.
            files: Plain file names (no folders) and their contents.
            exact: Whether a run resumed from it continues bit for bit.
            extra: JSON values for the manifest.
            append: Rows for logs, which go on from the last committed ones, or those of ``continue_from``.
            beside: Files of the run folder that it counts on; while they are not as they were it does not verify.

        Raises:
            StorageError: It could not be written; the checkpoints before it are intact.
            ConfigMismatchError: At this step stands a checkpoint of another configuration.
            UsageError: A file name or a step that cannot be one, or ``extra`` is not JSON.
        """
        _check_request(step, files)
        with self._lock:
            path = self.root / f"step-{step:09d}"
            standing = self._standing(path)
            if standing is not None:
                return standing
            with storage_errors(self.root):
                self.root.mkdir(parents=True, exist_ok=True)
            sweep(self.root)
            staged = self._log.stage(append)
            with committed_directory(path) as temporary:
                records = tuple(_write_file(temporary / name, files[name]) for name in sorted(files))
                reference = CheckpointRef(
                    path, step, self.config_hash, exact, records, dict(extra or {}), staged.records
                )
                reference = replace(reference, beside=tuple(beside))
                if self._origin is not None:
                    reference = replace(reference, origin=self._origin.sign(reference.signed_content()))
                (temporary / MANIFEST).write_bytes(reference.encode())
            self._log.commit(staged)
            self._sound.add(path)
            self._prune(path, self.keep)
            return reference

    def prune(self) -> int:
        """Keep only the newest sound checkpoint of this configuration; return the bytes freed.

        Stale temporaries and segments that no checkpoint counts on go too. Where none is sound nothing is deleted.
        """
        with self._lock:
            before = _size_of(self.root)
            sweep(self.root)
            ours = (one for one in self.refs() if one.config_hash == self.config_hash)
            newest = next((one for one in ours if self._is_sound(one)), None)
            if newest is not None:
                self._prune(newest.path, 1, unreadable_after=0)
            return max(0, before - _size_of(self.root))

    def refs(self) -> Iterator[CheckpointRef]:
        """Yield every checkpoint with a readable manifest, newest first, data unverified, any hash."""
        for path in self._folders():
            try:
                yield read_manifest(path)
            except IntegrityError:
                continue

    def newest(self, skipped: Skipped | None = None, before: int | None = None) -> CheckpointRef | None:
        """Return the newest checkpoint that verifies (of a step less than ``before``), or None.

        This configuration's come before any of another's: one of those is returned only where none of this
        one's is there, and :meth:`load` refuses it. ``skipped`` is told of each one passed over.
        """
        foreign: CheckpointRef | None = None
        with self._lock:
            for path in self._folders(before):
                try:
                    reference = verify_checkpoint(path)
                except IntegrityError as error:
                    if skipped is not None:
                        skipped(path, str(error))
                    else:
                        logger.warning("Checkpoint %s is passed over: %s", path.name, error)
                    continue
                if reference.config_hash == self.config_hash:
                    self._sound.add(path)
                    return reference
                foreign = foreign or reference
                if skipped is not None:
                    skipped(path, f"it was written by configuration {reference.config_hash}")
        return foreign

    def refuse_broken(self) -> None:
        """Refuse to begin anew where checkpoints are and none of them can be read: the run's rows would be dropped.

        Raises:
            IntegrityError: names each with what is wrong with it, and the way out.
        """
        faults: dict[str, str] = {}
        if self.newest(lambda path, why: faults.update({path.name: why})) is None and faults:
            told = "; ".join(f"{name}: {why}" for name, why in faults.items())
            raise IntegrityError(
                f"None of the checkpoints in {self.root} can be read, and a run that begins anew would drop its rows. "
                f"Nothing was changed; --fresh moves the run aside and starts another. {told}",
                faults,
            )

    def load(self, reference: CheckpointRef) -> dict[str, bytes]:
        """Return the data files of a checkpoint by name; the bytes handed out are the ones that were checked.

        Raises:
            ConfigMismatchError: Another configuration wrote it; ``differences`` holds the two hashes.
            IntegrityError: A file is missing or its bytes are not those that were written.
        """
        self._refuse_foreign(reference)
        _refuse_what_cannot_be_held(reference)
        contents = {}
        for record in reference.files:
            try:
                with open_regular(reference.path / record.name) as file:
                    size = os.fstat(file.fileno()).st_size
                    # A file that is not as large as it should be is not read: it may be larger than the memory.
                    data = file.read(record.bytes) if size == record.bytes else b""
            except OSError as error:
                why = f"{record.name} cannot be read: {error.strerror}"
                raise damaged(reference.path, why, record.name) from error
            compare(reference.path, record, size, hashlib.sha256(data).hexdigest())
            contents[record.name] = data
        return contents

    def continue_from(self, reference: CheckpointRef) -> None:
        """Let later appends go on from the logs of ``reference``, which was loaded."""
        self._refuse_foreign(reference)
        self._log.continue_from(reference.segments)

    def frames(self, reference: CheckpointRef, log: str) -> Iterator[Frame]:
        """Yield the frames of a checkpoint's log, reading one segment at a time; the bytes are checked ones.

        Raises:
            ConfigMismatchError: Another configuration wrote it.
            IntegrityError: A segment is missing or its bytes are not those that were written.
        """
        self._refuse_foreign(reference)
        for record in reference.segments:
            if record.log == log:
                yield from read_frames(reference.segments_folder, record)

    def _folders(self, before: int | None = None) -> list[Path]:
        if not self.root.is_dir():
            return []
        matches = ((STEP_FOLDER.fullmatch(path.name), path) for path in self.root.iterdir())
        numbered = [(int(match[1]), path) for match, path in matches if match is not None]
        return [path for step, path in sorted(numbered, reverse=True) if before is None or step < before]

    def _refuse_foreign(self, reference: CheckpointRef) -> None:
        if reference.config_hash != self.config_hash:
            raise ConfigMismatchError(
                f"{reference.path} was written by another configuration: its hash is "
                f"{reference.config_hash!r}, this run's {self.config_hash!r}.",
                {"config_hash": (reference.config_hash, self.config_hash)},
            )

    def _standing(self, path: Path) -> CheckpointRef | None:
        """Return the checkpoint at ``path`` if it verifies; None where there is none, or a broken one."""
        if not path.exists():
            return None
        try:
            self._refuse_foreign(read_manifest(path))
            return verify_checkpoint(path)
        except IntegrityError as error:
            logger.warning("Checkpoint %s is replaced: %s", path.name, error)
            return None

    def _prune(self, saved: Path, keep: int, unreadable_after: int | None = None) -> None:
        """Delete this configuration's checkpoints but the ``keep`` newest sound ones and the new one.

        One whose manifest cannot be read, which nobody can load, goes once there are that many newer ones, or
        ``unreadable_after``. Segments go after the checkpoints that named them, so that a kill in between leaves too
        many files and never too few.
        """
        kept, named = 0, set()
        for path in self._folders():
            try:
                reference = read_manifest(path)
            except IntegrityError:
                if kept >= (keep if unreadable_after is None else unreadable_after) and path != saved:
                    retire(path)
                continue
            if reference.config_hash == self.config_hash:
                if kept < keep and self._is_sound(reference):
                    kept += 1
                elif path != saved and retire(path):
                    self._sound.discard(path)
                    continue
            named |= {record.name for record in reference.segments}
        self._log.collect(named)

    def _is_sound(self, reference: CheckpointRef) -> bool:
        if reference.path not in self._sound:
            try:
                verify_checkpoint(reference.path)
            except IntegrityError:
                return False
            self._sound.add(reference.path)
        return True


def _refuse_what_cannot_be_held(reference: CheckpointRef) -> None:
    """A sparse file is declared and summed honestly, and yet reading it would end the process."""
    largest = max((record.bytes for record in reference.segments), default=0)  # read one at a time
    size, memory = sum(record.bytes for record in reference.files) + largest, psutil.virtual_memory().total
    if size > memory:
        why = f"its files have {size:,} bytes together, and the machine {memory:,} bytes of memory"
        raise damaged(reference.path, why, MANIFEST)


def _size_of(folder: Path) -> int:
    """Return the size of all regular files below ``folder``, temporaries included."""
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_size for file in files if file.is_file())


def _check_request(step: int, files: Mapping[str, Content]) -> None:
    if step < 0:
        raise UsageError(f"A checkpoint's step must be zero or more, not {step}.")
    for name in files:
        if not is_plain_name(name):
            raise UsageError(
                f"Not a name for a checkpoint's file: {name!r}. Legal: letters, digits, '_', '-' and '.', "
                f"with no dot first, and not {MANIFEST!r}."
            )


def _write_file(path: Path, content: Content) -> FileRecord:
    with path.open("wb") as file:
        if callable(content):
            content(file)
        else:
            file.write(content)
    if callable(content):  # it may have gone back and forth in the file, so only the result can be summed
        return FileRecord(path.name, path.stat().st_size, sha256_file(path))
    size = content.nbytes if isinstance(content, memoryview) else len(content)
    return FileRecord(path.name, size, hashlib.sha256(content).hexdigest())
