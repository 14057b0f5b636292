"""Layer 1: checkpoints, what a run resumes from.

A checkpoint is a directory ``step-000012000`` with data files and, written last, ``manifest.json`` with
their sizes and SHA-256 sums; the directory appears by one rename when everything in it is on disk. The
manifest sums up itself too, so no byte of a checkpoint can change unnoticed. Loading walks back from the
newest to the first that verifies, and hands out only bytes that were verified. How a model becomes bytes is
not known here: names and contents are handed in.

Covered: kills at any instant, full disks, flipped bytes, another configuration's checkpoints in the same
folder. Not covered: an attacker who can write the folder (a manifest is a checksum, not a signature).
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from kit.errors import ConfigMismatchError, IntegrityError, UsageError
from kit.harness.atomic import atomic_write
from kit.harness.store import committed_directory, discard, sha256_file, sweep

logger = logging.getLogger(__name__)

SCHEMA = 1
MANIFEST = "manifest.json"
_FOLDER = re.compile(r"step-([0-9]{9,})")

Content = bytes | bytearray | memoryview | Callable[[BinaryIO], None]
"""A file of a checkpoint: its bytes, or a function that writes them to a binary file."""
Skipped = Callable[[Path, str], None]
"""Told of a checkpoint that was passed over: its folder, and why."""


@dataclass(frozen=True)
class FileRecord:
    """One data file of a checkpoint: name, size in bytes, SHA-256 in hexadecimal."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class CheckpointRef:
    """A checkpoint whose manifest has been read; ``extra`` is what the saver put beside the data."""

    path: Path
    step: int
    config_hash: str
    exact: bool
    files: tuple[FileRecord, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """The size of the data files together."""
        return sum(record.bytes for record in self.files)


class CheckpointStore:
    """The checkpoints of one run, in the folder ``root``, made at the first save.

    ``keep`` newest ones that verify are kept. Those of another configuration are never deleted. Safe to
    call from several threads of one process.
    """

    def __init__(self, root: Path, config_hash: str, keep: int = 2) -> None:
        if keep < 1:
            raise UsageError(f"At least one checkpoint must be kept, not {keep}.")
        self.root, self.config_hash, self.keep = root, config_hash, keep self._lock = threading.Lock()
        self._sound: set[Path] = set()  # verified or written by this process: pruning need not hash them
        again

    def save(
        self,
        step: int,
        files: Mapping[str, Content],
        *,
        exact: bool,
        extra: Mapping[str, Any] | None = None,
    ) -> CheckpointRef:
        """Commit a checkpoint and prune older ones.

        One of the same step and configuration that verifies stays as it is; a broken one is replaced.

        Args:
            step: Environment steps done, zero or more.
            files: Plain file names (no folders) and their contents.
            exact: Whether a run resumed from it continues bit for bit.
            extra: JSON values for the manifest.

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
            _make_folder(self.root)
            sweep(self.root)
            with committed_directory(path) as temporary:
                records = [_write_file(temporary / name, files[name]) for name in sorted(files)]
                data = _encode_manifest(step, self.config_hash, exact, records, dict(extra or {}))
                # Last, and atomically: a directory without it is no checkpoint, whatever moved it here.
                (temporary / MANIFEST).write_bytes(data)
            self._sound.add(path)
            reference = read_manifest(path)
            self._prune(reference)
            return reference

    def refs(self) -> Iterator[CheckpointRef]:
        """Yield every checkpoint with a readable manifest, newest first, data unverified, any configuration."""
        for path in self._folders():
            try:
                yield read_manifest(path)
            except IntegrityError:
                continue

    def newest(self, skipped: Skipped | None = None) -> CheckpointRef | None:
        """Return the newest checkpoint that verifies, or None.

        This configuration's come before any of another's: one of those is returned only where there is none
        of this one's, and :meth:`load` refuses it. ``skipped`` is told of each one passed over.
        """
        foreign: CheckpointRef | None = None
        with self._lock:
            for path in self._folders():
                try:
                    reference = verify_checkpoint(path)
                except IntegrityError as error:
                    logger.warning("Checkpoint %s is passed over: %s", path.name, error)
                    if skipped is not None:
                        skipped(path, str(error))
                    continue
                if reference.config_hash == self.config_hash:
                    self._sound.add(path)
                    return reference
                foreign = foreign or reference
                if skipped is not None:
                    skipped(path, f"it was written by configuration {reference.config_hash}")
        return foreign

    def hash_of(self, reference: CheckpointRef) -> str:
        """Return the hash of the configuration that wrote ``reference``."""
        return reference.config_hash

    def load(self, reference: CheckpointRef) -> dict[str, bytes]:
        """Return the data files of a checkpoint by name; the bytes handed out are the ones that were checked.

        Raises:
            ConfigMismatchError: Another configuration wrote it; ``differences`` holds the two hashes.
            IntegrityError: A file is missing or its bytes are not those that were written.
        """
        self._refuse_foreign(reference)
        contents = {}
        for record in reference.files:
            try:
                data = (reference.path / record.name).read_bytes()
            except OSError as error:
                raise _damaged(reference.path, f"{record.name} cannot be read: {error.strerror}", record.name) from error
            _compare(reference.path, record, len(data), hashlib.sha256(data).hexdigest())
            contents[record.name] = data
        return contents

    def paths(self, reference: CheckpointRef) -> dict[str, Path]:
        """Return where the data files lie, after verifying them: for files that are better mapped than read.

        Raises:
            ConfigMismatchError: Another configuration wrote it.
            IntegrityError: A file is missing or its bytes are not those that were written.
        """
        self._refuse_foreign(reference)
        verify_checkpoint(reference.path)
        return {record.name: reference.path / record.name for record in reference.files}

    def _folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        numbered = [(int(match[1]), path) for path in self.root.iterdir() if (match :=
        _FOLDER.fullmatch(path.name))] return [path for _, path in sorted(numbered, reverse=True)]

    def _refuse_foreign(self, reference: CheckpointRef) -> None:
        if reference.config_hash != self.config_hash:
            raise ConfigMismatchError(
                f"{reference.path} was written by another configuration ({reference.config_hash}, this one is "
                f"{self.config_hash}).",
                {"config_hash": (reference.config_hash, self.config_hash)},
            )

    def _standing(self, path: Path) -> CheckpointRef | None:
        """Return the checkpoint at ``path`` if it verifies; None where there is none, or a broken one."""
        if not path.exists():
            return None
        try:
            reference = verify_checkpoint(path)
        except IntegrityError as error:
            logger.warning("Checkpoint %s is replaced: %s", path.name, error)
            return None
        self._refuse_foreign(reference)
        return reference

    def _prune(self, saved: CheckpointRef) -> None:
        """Delete this configuration's checkpoints but the ``keep`` newest that verify and the one just saved."""
        kept = 0
        for reference in self.refs():
            if reference.config_hash != self.config_hash:
                continue
            if kept < self.keep and self._is_sound(reference):
                kept += 1
            elif reference.path != saved.path:
                # The manifest goes last in time and first in deletion: half-deleted, it is no checkpoint any more.
                (reference.path / MANIFEST).unlink(missing_ok=True)
                discard(reference.path)
                self._sound.discard(reference.path)

    def _is_sound(self, reference: CheckpointRef) -> bool:
        if reference.path in self._sound and all(
            _size(reference.path / record.name) == record.bytes for record in reference.files
        ):
            return True
        try:
            verify_checkpoint(reference.path)
        except IntegrityError:
            return False
        self._sound.add(reference.path)
        return True


def read_manifest(path: Path) -> CheckpointRef:
    """Read the manifest of the checkpoint in folder ``path``, without its data.

    Raises:
        IntegrityError: It is missing, damaged, of another schema, or not this folder's.
    """
    try:
        data = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise _damaged(path, f"{MANIFEST} cannot be read: {error.strerror}", MANIFEST) from error
    try:
        content = json.loads(data) records = tuple(FileRecord(str(f["name"]), int(f["bytes"]),
        str(f["sha256"])) for f in content["files"]) reference = CheckpointRef(
            path, int(content["step"]), str(content["config_hash"]), bool(content["exact"]), records,
            content["extra"]
        )
        schema = content["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"{MANIFEST} is no manifest ({error})", MANIFEST) from error
    if schema != SCHEMA:
        raise _damaged(path, f"{MANIFEST} has schema {schema!r}, this version reads {SCHEMA}", MANIFEST)
    if data != _encode_manifest(
        reference.step, reference.config_hash, reference.exact, list(records), dict(reference.extra)
    ):
        raise _damaged(path, f"{MANIFEST} is not as it was written", MANIFEST)
    if (match := _FOLDER.fullmatch(path.name)) and int(match[1]) != reference.step:
        raise _damaged(path, f"{MANIFEST} is that of step {reference.step}", MANIFEST)
    return reference


def verify_checkpoint(path: Path) -> CheckpointRef:
    """Read and check the checkpoint in folder ``path``: its manifest, and size and SHA-256 of every file.

    Raises:
        IntegrityError: Something is missing, changed or too much; ``bad`` names the files.
    """
    reference = read_manifest(path)
    for record in reference.files:
        file = path / record.name
        if (size := _size(file)) is None:
            raise _damaged(path, f"{record.name} is missing", record.name)
        # A wrong size needs no hashing to be told.
        _compare(path, record, size, sha256_file(file) if size == record.bytes else record.sha256)
    known = {record.name for record in reference.files} | {MANIFEST}
    if surplus := sorted(entry.name for entry in path.iterdir() if entry.name not in known):
        raise _damaged(path, f"{', '.join(surplus)} is in no manifest", *surplus)
    return reference


def _check_request(step: int, files: Mapping[str, Content]) -> None:
    if step < 0:
        raise UsageError(f"A checkpoint's step must be zero or more, not {step}.")
    for name in files:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}", name) or name == MANIFEST:
            raise UsageError(
                f"Not a name for a checkpoint's file: {name!r}. Legal: letters, digits, '_', '-' and '.', not a dot "
                f"first, and not {MANIFEST!r}."
            )


def _make_folder(folder: Path) -> None:
    from kit.harness.atomic import storage_errors

    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


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


def _encode_manifest(
    step: int, config_hash: str, exact: bool, records: list[FileRecord], extra: dict[str, Any]
) -> bytes:
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "step": step,
        "config_hash": config_hash,
        "exact": exact,
        "files": [vars(record) for record in records],
        "extra": extra,
    }
    try:
        body = json.dumps(content, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise UsageError(f"A checkpoint's extra must be JSON: {error}.") from error
    content["sha256"] = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps(content, indent=1).encode() + b"\n"


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() and not path.is_symlink() else None


def _compare(path: Path, record: FileRecord, size: int, sha256: str) -> None:
    if size != record.bytes:
        raise _damaged(path, f"{record.name} has {size} bytes, the manifest says {record.bytes}", record.name)
    if sha256 != record.sha256:
        raise _damaged(path, f"{record.name} has another SHA-256 than the manifest says", record.name)


def _damaged(path: Path, why: str, *names: str) -> IntegrityError:
    return IntegrityError(f"{path}: {why}.", [f"{path.name}/{name}" for name in names])
