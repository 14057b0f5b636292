"""One file, replaced whole: a temporary beside it, write, fsync, rename, fsync of the folder.

Covered: a process killed at any instant, a full or failing disk, a machine that loses power. The old file
is intact until the new bytes are on disk, and then the new one is there whole. After a failed fsync the
temporary is thrown away and never synced again, since the kernel may have marked the lost pages clean
(Rebello et al., "Can applications recover from fsync failures?", USENIX ATC 2020). Not covered: two
processes that write the same target.

Temporaries are called ``.NAME.PID.TOKEN.tmp`` (``.old`` for what a directory replaces), so no stale one is
ever in a writer's way.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from kit.errors import StorageError

TEMPORARY = re.compile(
    r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.(?P<token>[0-9a-f]{8})\.(?P<kind>tmp|old)", re.DOTALL
)
IN_FLIGHT: set[str] = set()
"""This process's own temporaries: a process id comes back after a restart, so the id alone does not tell."""


def is_temporary(name: str) -> bool:
    """Whether a file or directory of this name is one of the kit's temporaries."""
    return TEMPORARY.fullmatch(name) is not None


def atomic_write(path: Path, data: bytes | str) -> None:
    """Replace ``path`` by ``data`` (text as UTF-8): at any instant the old or the new file is there, whole.

    Raises:
        StorageError: Writing failed; names the path, and what was there before is intact.
    """
    with atomic_file(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def atomic_file(path: Path) -> Generator[BinaryIO, None, None]:
    """Give a binary file to write, which replaces ``path`` when the block is left without an exception.

    Raises:
        StorageError: Writing failed; names the path, and what was there before is intact.
    """
    with storage_errors(path), temporary_for(path, "tmp") as temporary:
        try:
            # os.open, not mkstemp: the file gets the permissions that the umask gives any other.
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    make_durable(path)


def make_durable(path: Path) -> None:
    """Sync the folder that holds ``path``, after a rename.

    Raises:
        StorageError: The new content stands, but the machine does not promise that it survives a power
        failure.
    """
    try:
        sync_directory(path.parent)
    except OSError as error:
        text = f"{path} is written, but its folder cannot be synced: {error.strerror}."
        raise StorageError(error.errno, text) from error


def sync_directory(folder: Path) -> None:
    """Make renames and new names in ``folder`` durable, where its file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and user-space file systems (a mounted Drive) sync no folders at all.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def temporary_for(path: Path, kind: str) -> Generator[Path, None, None]:
    """Give an unused name beside ``path`` for a temporary of this process; nothing is created."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.{kind}")
    IN_FLIGHT.add(temporary.name)
    try:
        yield temporary
    finally:
        IN_FLIGHT.discard(temporary.name)


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return ``error`` as the kit's own, naming ``path`` and what the failure means for it."""
    cause = error.strerror or str(error)
    if (
        error.filename is not None
        and Path(str(error.filename)).name.strip(".").split(".")[0] not in path.name
    ):
        cause += f" ({error.filename})"
    text = f"Cannot write {path}: {cause}. What was there before is intact."
    return StorageError(error.errno, text) if error.errno is not None else StorageError(text)


@contextlib.contextmanager
def storage_errors(path: Path) -> Generator[None, None, None]:
    """Turn any OSError of the block into a StorageError that names ``path``."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(path, error) from error
