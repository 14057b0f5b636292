"""The manifest of a checkpoint: what its files are, and whether they still are what was written.

``manifest.json`` holds ``{schema, step, config_hash, exact, files: [{name, bytes, sha256}], segments: [{log,
name, start, end, bytes, sha256}], extra, origin, sha256}``. The files lie beside it; the segments lie in
``../segments``, and only the first ``bytes`` bytes of each belong to this checkpoint. Where it counts on files of the
run folder that others keep (adapters), ``beside`` has them like ``files``, by their names there. The last key is the
manifest's own sum, over its other keys as sorted JSON. So no byte of a checkpoint can change unnoticed. It is a
checksum, not a signature: somebody who can write the folder can make both anew. ``origin`` is the signature
(``kit.harness.origin``), empty where there was no key.

A folder may come from anywhere: nothing outside it is followed, and nothing larger than what is declared is read.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any

from kit.errors import IntegrityError, UsageError
from kit.harness.segment_format import SEGMENTS, SegmentRecord, check_segment, gap_in

SCHEMA = 3
MANIFEST = "manifest.json"
MANIFEST_BYTES = 16 * 2**20
"""What is larger is no manifest: 1,000 segments take 300 KiB."""
MOST_RECORDS = 20_000
STEP_FOLDER = re.compile(r"step-([0-9]{9,})")


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
    segments: tuple[SegmentRecord, ...] = ()
    origin: str = ""
    beside: tuple[FileRecord, ...] = ()
    """Files of the run folder that it counts on, named from there, with slashes; others write and remove them."""

    @property
    def size_bytes(self) -> int:
        """The size of all data together, of segments what belongs to this checkpoint."""
        return sum(file.bytes for file in self.files) + sum(one.bytes for one in self.segments)

    @property
    def segments_folder(self) -> Path:
        """Where the segments lie."""
        return self.path.parent / SEGMENTS

    def signed_content(self) -> bytes:
        """Return what ``origin`` is the proof of: everything that the manifest says, and by its sums all data.

        Raises:
            UsageError: ``extra`` is not JSON.
        """
        return _json(self._content()).encode()

    def encode(self) -> bytes:
        """Return the content of the manifest file.

        Raises:
            UsageError: ``extra`` is not JSON.
        """
        content = {**self._content(), "origin": self.origin}
        content["sha256"] = hashlib.sha256(_json(content).encode()).hexdigest()
        return json.dumps(content, indent=1).encode() + b"\n"

    def _content(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "step": self.step,
            "config_hash": self.config_hash,
            "exact": self.exact,
            "files": [vars(record) for record in self.files],
            "segments": [vars(record) for record in self.segments],
            "extra": dict(self.extra),
            **({"beside": [vars(record) for record in self.beside]} if self.beside else {}),
        }


def _json(content: Mapping[str, Any]) -> str:
    try:
        return json.dumps(content, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise UsageError(f"A checkpoint's extra must be JSON: {error}.") from error


def read_manifest(path: Path) -> CheckpointRef:
    """Read the manifest of the checkpoint in folder ``path``, without its data.

    Raises:
        IntegrityError: It is missing, damaged, of another schema, or not this folder's.
    """
    return parse_manifest(path, _read_manifest_bytes(path))


def parse_manifest(path: Path, data: bytes) -> CheckpointRef:
    """Return what a manifest says that was read from the checkpoint in ``path``, which need not be there any more.

    Raises:
        IntegrityError: It is damaged, of another schema, or not this folder's.
    """
    try:
        reference = _parse(path, json.loads(data))
        # Written anew from what was read it must be the same, byte for byte: that covers the sum and the blanks.
        same = data == reference.encode()
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise damaged(path, f"{MANIFEST} is no manifest ({error})", MANIFEST) from error
    if not same:
        raise damaged(path, f"{MANIFEST} is not as it was written", MANIFEST)
    match = STEP_FOLDER.fullmatch(path.name)
    if match is not None and int(match[1]) != reference.step:
        raise damaged(path, f"{MANIFEST} is that of step {reference.step}", MANIFEST)
    gap = gap_in(reference.segments)
    if gap is not None:
        raise damaged(path, f"{MANIFEST}: {gap}", MANIFEST)
    return reference


def _read_manifest_bytes(path: Path) -> bytes:
    if path.is_symlink():
        raise damaged(path, "is a link", MANIFEST)
    try:
        with open_regular(path / MANIFEST) as file:
            data = file.read(MANIFEST_BYTES + 1)
    except OSError as error:
        raise damaged(path, f"{MANIFEST} cannot be read: {error.strerror}", MANIFEST) from error
    if len(data) > MANIFEST_BYTES:
        raise damaged(path, f"{MANIFEST} has more than {MANIFEST_BYTES:,} bytes", MANIFEST)
    return data


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; raises OSError for a link, a device, or a pipe that would never answer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(descriptor, "rb")


def _parse(path: Path, content: Mapping[str, Any]) -> CheckpointRef:
    if content["schema"] != SCHEMA:
        raise ValueError(f"its schema is {content['schema']!r}, this version reads {SCHEMA}")
    if sum(len(content.get(kind, ())) for kind in ("files", "segments", "beside")) > MOST_RECORDS:
        raise ValueError(f"more than {MOST_RECORDS:,} files")
    files, beside = _records(content["files"]), _records(content.get("beside", ()))
    for record in files:
        if not is_plain_name(record.name):
            raise ValueError(f"{record.name!r} is no plain file name")
    for record in beside:
        if not all(is_plain_name(part) for part in record.name.split("/")):
            raise ValueError(f"{record.name!r} is no name of a file in a run folder")
    return CheckpointRef(
        path=path,
        step=int(content["step"]),
        config_hash=str(content["config_hash"]),
        exact=bool(content["exact"]),
        files=files,
        extra=dict(content["extra"]),
        segments=tuple(SegmentRecord.parse(segment) for segment in content["segments"]),
        origin=str(content["origin"]),
        beside=beside,
    )


def _records(listed: Iterable[Mapping[str, Any]]) -> tuple[FileRecord, ...]:
    records = tuple(FileRecord(str(file["name"]), int(file["bytes"]), str(file["sha256"])) for file in listed)
    if len({record.name for record in records}) < len(records):
        raise ValueError("a file is there twice")
    return records


def verify_checkpoint(path: Path) -> CheckpointRef:
    """Read and check the checkpoint in folder ``path``: its manifest, and size and SHA-256 of all that it counts on.

    Raises:
        IntegrityError: Something is missing or changed; ``bad`` names the file.
    """
    reference = read_manifest(path)
    run = path.parent.parent
    for folder, record in [(path, one) for one in reference.files] + [(run, one) for one in reference.beside]:
        try:
            _refuse_links(folder, record.name)
            with open_regular(folder / record.name) as opened:
                size = os.fstat(opened.fileno()).st_size
                # A wrong size needs no hashing to be told.
                same = size == record.bytes
                digest = hashlib.file_digest(opened, "sha256").hexdigest() if same else ""
        except OSError as error:
            raise damaged(path, f"{record.name} cannot be read: {error.strerror}", record.name) from error
        compare(path, record, size, digest)
    if reference.segments and reference.segments_folder.is_symlink():
        raise damaged(path, f"{SEGMENTS} is a link", MANIFEST)
    for segment in reference.segments:
        check_segment(reference.segments_folder, segment)
    return reference


def _refuse_links(folder: Path, name: str) -> None:
    """Raise OSError where a folder on the way to a file is a link: it may lead out of the run."""
    for parent in list(PurePosixPath(name).parents)[:-1]:
        if (folder / parent).is_symlink():
            raise OSError(errno.ELOOP, f"{parent} is a link", str(folder / name))


def compare(path: Path, record: FileRecord, size: int, sha256: str) -> None:
    """Hold size and SHA-256 of what was read against the record; raises IntegrityError where they differ."""
    if size != record.bytes:
        raise damaged(path, f"{record.name} has {size} bytes, the manifest says {record.bytes}", record.name)
    if sha256 != record.sha256:
        raise damaged(path, f"{record.name} has another SHA-256 than the manifest says", record.name)


def damaged(path: Path, why: str, name: str) -> IntegrityError:
    """Return the error that file ``name`` of the checkpoint in ``path`` is at fault."""
    return IntegrityError(f"{path}: {why}.", [f"{path.name}/{name}"])


def is_plain_name(name: str) -> bool:
    """Whether a checkpoint's data file may have this name: no folders, no leading dot, nothing unusual."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}", name) is not None and name != MANIFEST
