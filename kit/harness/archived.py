"""A run in an archive: whether its checkpoints and its best model are what was written when they were made.

An archive's own checksums are those of the files as they were archived. A file that was damaged before has the right
one, and is told only by the sum that the run itself took down: a checkpoint's manifest, ``best.json``.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kit.errors import IntegrityError
from kit.harness.best import FACTS, sums_of
from kit.harness.manifest import MANIFEST, MANIFEST_BYTES, STEP_FOLDER, CheckpointRef, parse_manifest
from kit.harness.segment_format import SEGMENTS, SegmentRecord
from kit.harness.unpack import CHUNK

CHECKPOINTS = "checkpoints"
BEST = f"best/{FACTS}"
Fault = tuple[str, str]
"""A member's name, and what is wrong with it."""


def content_faults(archive: zipfile.ZipFile, sums: Mapping[str, str]) -> Iterator[Fault]:
    """Yield (name, what is wrong) for members that are not what the run says of them; ``sums`` are the archive's own.

    Each member was compared with its sum before, so only where a sum is not enough is a member read again.
    """
    for name in sorted(sums):
        parts = name.split("/")
        if parts[0] == CHECKPOINTS and len(parts) > 1 and STEP_FOLDER.fullmatch(parts[1]):
            if parts[2:] == [MANIFEST]:
                yield from _checkpoint(archive, parts[1], sums)
            elif f"{CHECKPOINTS}/{parts[1]}/{MANIFEST}" not in sums:
                yield f"{CHECKPOINTS}/{parts[1]}/{MANIFEST}", "is missing"
    if BEST in sums:
        yield from _best(archive, sums)


def _checkpoint(archive: zipfile.ZipFile, folder: str, sums: Mapping[str, str]) -> Iterator[Fault]:
    name = f"{CHECKPOINTS}/{folder}/{MANIFEST}"
    try:
        with archive.open(name) as member:
            reference = parse_manifest(Path(folder), member.read(MANIFEST_BYTES))
    except IntegrityError as error:
        yield name, str(error)
        return
    expected = {f"{CHECKPOINTS}/{folder}/{one.name}": one.sha256 for one in reference.files}
    expected |= {one.name: one.sha256 for one in reference.beside}
    yield from _differing(expected, sums, f"the manifest of {folder}")
    yield from _segments(archive, reference, sums)


def _segments(archive: zipfile.ZipFile, reference: CheckpointRef, sums: Mapping[str, str]) -> Iterator[Fault]:
    for record in reference.segments:
        name = f"{CHECKPOINTS}/{SEGMENTS}/{record.name}"
        if name not in sums:
            yield name, f"is missing, and the manifest of {reference.path} counts on it"
        elif sums[name] != record.sha256 and _prefix(archive, name, record) != record.sha256:
            yield name, f"has another SHA-256 than the manifest of {reference.path} says"


def _prefix(archive: zipfile.ZipFile, name: str, record: SegmentRecord) -> str:
    """Return the SHA-256 of as much of a segment as belongs to the checkpoint; others may have appended to it since."""
    digest, left = hashlib.sha256(), record.bytes
    with archive.open(name) as member:
        while left and (chunk := member.read(min(left, CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def _best(archive: zipfile.ZipFile, sums: Mapping[str, str]) -> Iterator[Fault]:
    try:
        facts: Any = json.loads(archive.read(BEST))
        expected = sums_of(Path("best"), facts if isinstance(facts, dict) else {"file": facts})
    except (IntegrityError, ValueError, RecursionError) as error:
        yield BEST, str(error)
        return
    yield from _differing({f"best/{name}": digest for name, digest in expected.items()}, sums, FACTS)


def _differing(expected: Mapping[str, str], sums: Mapping[str, str], who: str) -> Iterator[Fault]:
    for name, digest in expected.items():
        if name not in sums:
            yield name, f"is missing, and {who} counts on it"
        elif sums[name] != digest:
            yield name, f"has another SHA-256 than {who} says: it was damaged before it was archived"
