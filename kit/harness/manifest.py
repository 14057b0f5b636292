"""The manifest of a checkpoint: what its files are, and whether they still are what was written.

``manifest.json`` holds ``{schema, step, config_hash, exact, files: [{name, bytes, sha256}], extra,
sha256}``; the last is the manifest's own sum, over its other keys as sorted JSON. So no byte of a
checkpoint can change unnoticed. It is a checksum, not a signature: somebody who can write the folder can
make both anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError, UsageError

SCHEMA = 1
MANIFEST = "manifest.json"
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

    @property
    def size_bytes(self) -> int:
        """The size of the data files together."""
        return sum(record.bytes for record in self.files)

    def encode(self) -> bytes:
        """Return the content of the manifest file.

        Raises:
            UsageError: ``extra`` is not JSON.
        """
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "step": self.step,
            "config_hash": self.config_hash,
            "exact": self.exact,
            "files": [vars(record) for record in self.files],
            "extra": dict(self.extra),
        }
        try:
            body = json.dumps(content, sort_keys=True)
        except (TypeError, ValueError) as error:
            raise UsageError(f"A checkpoint's extra must be JSON: {error}.") from error
        content["sha256"] = hashlib.sha256(body.encode()).hexdigest()
        return json.dumps(content, indent=1).encode() + b"\n"


def read_manifest(path: Path) -> CheckpointRef:
    """Read the manifest of the checkpoint in folder ``path``, without its data.

    Raises:
        IntegrityError: It is missing, damaged, of another schema, or not this folder's.
    """
    try:
        data = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise damaged(path, f"{MANIFEST} cannot be read: {error.strerror}", MANIFEST) from error
    try:
        content = json.loads(data)
        schema, reference = content["schema"], _parse(path, content)
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, f"{MANIFEST} is no manifest ({error})", MANIFEST) from error
    if schema != SCHEMA:
        raise damaged(path, f"{MANIFEST} has schema {schema!r}, this version reads {SCHEMA}", MANIFEST)
    # Written anew from what was read it must be the same, byte for byte: that covers the sum and the blanks.
    if data != reference.encode():
        raise damaged(path, f"{MANIFEST} is not as it was written", MANIFEST)
    match = STEP_FOLDER.fullmatch(path.name)
    if match is not None and int(match[1]) != reference.step:
        raise damaged(path, f"{MANIFEST} is that of step {reference.step}", MANIFEST)
    return reference


def _parse(path: Path, content: Mapping[str, Any]) -> CheckpointRef:
    files = tuple(
        FileRecord(str(file["name"]), int(file["bytes"]), str(file["sha256"])) for file in content["files"]
    )
    for record in files:
        if not is_plain_name(record.name):
            raise ValueError(f"{record.name!r} is no plain file name")
    return CheckpointRef(
        path=path,
        step=int(content["step"]),
        config_hash=str(content["config_hash"]),
        exact=bool(content["exact"]),
        files=files,
        extra=dict(content["extra"]),
    )


def verify_checkpoint(path: Path) -> CheckpointRef:
    """Read and check the checkpoint in folder ``path``: its manifest, and size and SHA-256 of every file.

    Raises:
        IntegrityError: Something is missing or changed; ``bad`` names the file.
    """
    reference = read_manifest(path)
    for record in reference.files:
        file = path / record.name
        if file.is_symlink() or not file.is_file():
            raise damaged(path, f"{record.name} is missing", record.name)
        try:
            with file.open("rb") as opened:
                size = file.stat().st_size
                # A wrong size needs no hashing to be told.
                same = size == record.bytes
                digest = hashlib.file_digest(opened, "sha256").hexdigest() if same else ""
        except OSError as error:
            raise damaged(path, f"{record.name} cannot be read: {error.strerror}", record.name) from error
        compare(path, record, size, digest)
    return reference


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
