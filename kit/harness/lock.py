"""A lock on a file, held by a process: it goes when the process does, however it dies."""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from kit.errors import RunLockedError, StorageError


class FileLock:
    """An advisory ``flock``; the file holds the pid of the holder, for the error message of the next one.

    Not inherited across ``exec``; released by the kernel when the process ends, so a SIGKILL leaves no stale
    lock behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self, *, wait: bool = False) -> FileLock:
        """Take the lock, waiting for it if asked to.

        Raises:
            RunLockedError: another process holds it (and ``wait`` is false); names its pid.
            StorageError: the file cannot be made.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"The run folder cannot be written: {self.path}: {error.strerror}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            pid = _pid_in(file)
            os.close(file)
            here = pid == os.getpid()
            where = (
                "this process: close() that session"
                if here
                else f"another process (pid {pid or 'unknown'}): end it"
            )
            raise RunLockedError(
                f"{self.path.parent.parent} is open in {where} first, or give another --out.", pid
            ) from None
        os.ftruncate(file, 0)
        with suppress(OSError):  # a full disk keeps the pid from being noted, not the lock from being held
            os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file
        return self

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> FileLock:
        return self if self._file is not None else self.acquire(wait=True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def end_holder(path: Path) -> None:
    """Kill the process that holds the lock at ``path``; nothing where nobody does."""
    try:
        with FileLock(path).acquire():
            return
    except RunLockedError as error:
        if error.pid and error.pid != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(error.pid, signal.SIGKILL)


def _pid_in(file: int) -> int:
    text = os.pread(file, 32, 0)
    return int(text) if text.isdigit() else 0
