"""Layer 3: one archive of a run, with checksums inside and beside it.

``artifacts.zip`` is made from whatever the run folder holds, so a dead run can be archived as well as a
finished one. The same files give the same bytes: members are sorted, their times fixed. Memory stays flat,
whatever the size.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from kit.errors import UsageError
from kit.harness.atomic import atomic_file, atomic_write
from kit.harness.store import regular_files, sweep
from kit.harness.unpack import CHUNK, SUMS, ExtractLimits, is_safe_name, safe_extract
from kit.harness.verify import ARCHIVE, CHECKPOINTS, VerifyReport, verify

__all__ = ["ArchiveRef", "ExtractLimits", "VerifyReport", "package", "safe_extract", "verify"]

logger = logging.getLogger(__name__)

COMPRESSED = frozenset(
    {".7z", ".bz2", ".gif", ".gz", ".jpeg", ".jpg", ".mp4", ".npz", ".parquet", ".png", ".pt", ".pth"}
    | {".safetensors", ".seg", ".webp", ".xz", ".zip", ".zst"}
)
"""File types that deflate makes no smaller: stored as they are."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ZIP64_FROM = 2**31 - 2**20
_LAYER_1 = f"{CHECKPOINTS}/"
TRIES = 10
"""How often the checkpoints are looked for anew, where a session prunes them meanwhile."""


@dataclass(frozen=True)
class ArchiveRef:
    """An archive: where, its SHA-256, how many files of the run it holds, and its size in bytes."""

    path: Path
    sha256: str
    files: int
    bytes: int


def package(run_dir: Path) -> ArchiveRef:
    """Make ``artifacts.zip`` and ``artifacts.zip.sha256`` in a run folder, from the regular files in it.

    Left out: an earlier archive, names that start with a dot (temporaries, the session's own control
    files), locks, links, and names that could not be unpacked everywhere. A checkpoint that is pruned
    meanwhile is left out whole.

    Raises:
        UsageError: There is no such folder.
        StorageError: The archive cannot be written; an earlier one is intact.
    """
    if not run_dir.is_dir():
        raise UsageError(f"There is no run folder {run_dir}.")
    sweep(run_dir)
    path = run_dir / ARCHIVE
    beside = run_dir / f"{ARCHIVE}.sha256"
    with atomic_file(path) as target:
        files = _write_zip(run_dir, target)
        target.flush()
        os.fsync(target.fileno())
        digest, size = _digest(target)
        # Two files cannot be replaced at once: an archive without its sum is sound, with another's it is not.
        beside.unlink(missing_ok=True)
    atomic_write(beside, f"{digest}  {ARCHIVE}\n")
    return ArchiveRef(path, digest, files, size)


def _write_zip(run_dir: Path, target: BinaryIO) -> int:
    sums = []
    with zipfile.ZipFile(target, "w") as archive:
        for name, file in _sources(run_dir):
            sums.append(f"{_add(archive, name, file)}  {name}\n")
        archive.writestr(_info(SUMS), "".join(sums))
    return len(sums)


def _sources(run_dir: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Yield (name in the archive, open file), by name; all that belongs to checkpoints is opened together, and first.

    A session that is still writing may prune meanwhile: what is open stays readable, and what was gone before is
    looked for again. Files that checkpoints count on were there before them, and so are found after them.
    """
    with ExitStack() as stack:
        layer_1 = _checkpoints(run_dir, stack)
        chosen = [(name, path) for name, path in regular_files(run_dir) if _belongs(name)]
        for within, group in itertools.groupby(chosen, key=lambda pair: pair[0].startswith(_LAYER_1)):
            if within:
                yield from layer_1
                continue
            for name, path in group:
                yield from _open_all([(name, path)])


def _checkpoints(run_dir: Path, stack: ExitStack) -> list[tuple[str, BinaryIO]]:
    """Return all files of checkpoints, open until the stack is left."""
    for _ in range(TRIES):
        found = [(_LAYER_1 + name, path) for name, path in regular_files(run_dir / CHECKPOINTS)]
        with ExitStack() as opened:
            try:
                files = [
                    (name, opened.enter_context(path.open("rb"))) for name, path in found if _belongs(name)
                ]
            except FileNotFoundError as error:
                logger.info("Looked for again: %s is gone.", error.filename)
                continue
            stack.enter_context(opened.pop_all())
            return list(files)
    return []


def _open_all(pairs: list[tuple[str, Path]]) -> Iterator[tuple[str, BinaryIO]]:
    with ExitStack() as stack:
        try:
            opened = [(name, stack.enter_context(path.open("rb"))) for name, path in pairs]
        except FileNotFoundError as error:
            logger.info("Left out of the archive: %s is gone.", error.filename)
            return
        yield from opened


def never_archived(name: str) -> bool:
    """Whether a file of this name is none that an archive holds: the archive itself, what processes share, locks."""
    return (
        name in (ARCHIVE, f"{ARCHIVE}.sha256")
        or name.endswith(".lock")
        or any(part.startswith(".") for part in PurePosixPath(name).parts)
    )


def _belongs(name: str) -> bool:
    if name == SUMS or never_archived(name):
        return False
    if not is_safe_name(name):
        logger.warning("Left out of the archive: %r cannot be unpacked everywhere.", name)
        return False
    return True


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3  # Unix, whatever this runs on
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    stored = PurePosixPath(name).suffix.lower() in COMPRESSED
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    return info


def _add(archive: zipfile.ZipFile, name: str, file: BinaryIO) -> str:
    digest = hashlib.sha256()
    large = os.fstat(file.fileno()).st_size >= _ZIP64_FROM
    with archive.open(_info(name), "w", force_zip64=large) as member:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            member.write(chunk)
    return digest.hexdigest()


def _digest(file: BinaryIO) -> tuple[str, int]:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest(), file.tell()
