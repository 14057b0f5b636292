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
from kit.harness.manifest import STEP_FOLDER
from kit.harness.store import regular_files, sweep
from kit.harness.unpack import CHUNK, SUMS, ExtractLimits, is_safe_name, safe_extract
from kit.harness.verify import ARCHIVE, VerifyReport, verify

__all__ = ["ArchiveRef", "ExtractLimits", "VerifyReport", "package", "safe_extract", "verify"]

logger = logging.getLogger(__name__)

COMPRESSED = frozenset(
    {".7z", ".bz2", ".gif", ".gz", ".jpeg", ".jpg", ".mp4", ".npz", ".parquet", ".png", ".pt", ".pth"}
    | {".safetensors", ".webp", ".xz", ".zip", ".zst"}
)
"""File types that deflate makes no smaller: stored as they are."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ZIP64_FROM = 2**31 - 2**20


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
    """Yield (name in the archive, open file), by name; the files of a checkpoint are opened together."""
    chosen = [(name, path) for name, path in regular_files(run_dir) if _belongs(name)]
    for folder, group in itertools.groupby(chosen, key=lambda pair: pair[1].parent):
        if not STEP_FOLDER.fullmatch(folder.name):
            for name, path in group:
                yield from _open_all([(name, path)])
        else:
            yield from _open_all(list(group))


def _open_all(pairs: list[tuple[str, Path]]) -> Iterator[tuple[str, BinaryIO]]:
    with ExitStack() as stack:
        try:
            opened = [(name, stack.enter_context(path.open("rb"))) for name, path in pairs]
        except FileNotFoundError as error:
            logger.info("Left out of the archive: %s is gone.", error.filename)
            return
        yield from opened


def _belongs(name: str) -> bool:
    parts = PurePosixPath(name).parts
    if name in (ARCHIVE, f"{ARCHIVE}.sha256", SUMS) or name.endswith(".lock"):
        return False
    if any(part.startswith(".") for part in parts):
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
