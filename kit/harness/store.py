"""Crash-safe files, the harness's door to the disk: atomic files, append-only rows, committed directories.

A directory is committed by a rename once everything in it is on disk, so that it is there whole or not at
all. :func:`sweep` clears what killed processes left half-written. ``atomic`` and ``rows`` hold the other
two.
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
import hashlib
import logging
import os
import shutil
from collections.abc import Generator
from pathlib import Path

from kit.harness.atomic import (
    IN_FLIGHT,
    TEMPORARY,
    atomic_file,
    atomic_write,
    is_temporary,
    make_durable,
    storage_errors,
    sync_directory,
    temporary_for,
)
from kit.harness.rows import AppendOnlyRows

__all__ = [
    "AppendOnlyRows",
    "atomic_file",
    "atomic_write",
    "clear_beside",
    "committed_directory",
    "discard",
    "is_stale",
    "is_temporary",
    "regular_files",
    "retire",
    "sha256_file",
    "sweep",
]

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def committed_directory(final: Path) -> Generator[Path, None, None]:
    """Give a new directory to fill, which becomes ``final`` when the block is left without an exception.

    Everything in it is synced before the rename. A directory that stands at ``final`` changes places with
    the new one in one step. Where the file system cannot do that it is moved aside first (a rename onto a
    non-empty directory fails); killed between the two, :func:`sweep` puts it back.

    Raises:
        StorageError: Writing failed; names the directory, and what was there before is intact.
    """
    with temporary_for(final, "tmp") as temporary, temporary_for(final, "old") as aside:
        with storage_errors(final):
            try:
                temporary.mkdir()
                yield temporary
                _sync_tree(temporary)
                _put_in_place(temporary, final, aside)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        make_durable(final)
        for replaced in (temporary, aside):
            if replaced.exists():
                discard(replaced)


def _put_in_place(temporary: Path, final: Path, aside: Path) -> None:
    if not os.path.lexists(final):
        temporary.rename(final)
        return
    if _exchange(temporary, final):
        return
    final.rename(aside)
    try:
        temporary.rename(final)
    except OSError:
        aside.rename(final)
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step (Linux ``renameat2`` with RENAME_EXCHANGE); False where it cannot."""
    with contextlib.suppress(OSError, AttributeError):
        swap = ctypes.CDLL(None, use_errno=True).renameat2
        at_cwd, rename_exchange = -100, 2
        return bool(swap(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), rename_exchange) == 0)
    return False


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(parent, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(parent))


def sweep(folder: Path) -> list[Path]:
    """Clear what dead processes left half-written in and below ``folder``; return what was removed.

    A directory that had been moved aside, and whose replacement never came, is put back. What cannot be
    removed (a read-only input) stays: a stale temporary is in nobody's way.
    """
    removed = []
    for parent, folders, names in os.walk(folder):
        stale = [name for name in sorted(folders + names) if is_stale(name)]
        folders[:] = [name for name in folders if not is_temporary(name)]
        for name in stale:
            path = Path(parent, name)
            if not _put_back(path) and discard(path):
                removed.append(path)
    return removed


def clear_beside(final: Path) -> None:
    """Clear what dead processes left half-written beside ``final``, for it.

    What had been moved aside for it, and whose replacement never came, is put back where ``final`` is not there.
    """
    for path in sorted(final.parent.glob(f".{glob.escape(final.name)}.*")):
        match = TEMPORARY.fullmatch(path.name)
        if match is not None and match["name"] == final.name and is_stale(path.name) and not _put_back(path):
            discard(path)


def is_stale(name: str) -> bool:
    """Whether a temporary of this name was left by a process that is dead."""
    match = TEMPORARY.fullmatch(name)
    if match is None or name in IN_FLIGHT:
        return False
    pid = int(match["pid"])
    if pid == os.getpid():  # not in flight, so an earlier process of this id left it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _put_back(aside: Path) -> bool:
    match = TEMPORARY.fullmatch(aside.name)
    final = aside.with_name(match["name"]) if match else aside
    if match is None or match["kind"] != "old" or os.path.lexists(final):
        return False
    with contextlib.suppress(OSError):
        aside.rename(final)
        logger.warning("Put back %s: what should have replaced it was never finished.", final)
    return True


def discard(path: Path) -> bool:
    """Remove a file or a whole directory; False, with a warning in the log, where that is not possible."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        logger.warning("Cannot remove %s: %s.", path, error.strerror)
        return False
    return True


def retire(path: Path) -> bool:
    """Remove a directory, there whole or not at all: renamed first, then deleted; False where that fails."""
    with temporary_for(path, "tmp") as temporary:
        try:
            path.rename(temporary)
        except OSError as error:
            logger.warning("Cannot remove %s: %s.", path, error.strerror)
            return False
        return discard(temporary)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal, reading it in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def regular_files(folder: Path) -> list[tuple[str, Path]]:
    """Return (name relative to ``folder`` with slashes, path) of every regular file below it, sorted by name.

    Temporaries, symbolic links, sockets and pipes are left out.
    """
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_temporary(name)]
        for name in names:
            path = Path(parent, name)
            if not is_temporary(name) and path.is_file() and not path.is_symlink():
                found.append((path.relative_to(folder).as_posix(), path))
    return sorted(found)
