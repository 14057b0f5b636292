"""Where a checkpoint came from: a key of this machine's user, and the proof that a checkpoint was written with it.

The key, 32 random bytes, lies in the user's cache folder and is readable by that user alone. A manifest carries the
HMAC-SHA256 of its content under it (RFC 2104). So "this machine's own" is what can be proven, and no name that anybody
could write. Not covered: somebody who can read or write the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import stat
from functools import cached_property
from pathlib import Path

from kit.harness.atomic import sync_directory, temporary_for
from kit.harness.platform import cache_folder

logger = logging.getLogger(__name__)

KEY_BYTES = 32


class Origin:
    """The key at ``path``, by default that of this machine's user; made when it is first needed to sign.

    Nothing here raises: where the key cannot be made or read, nothing counts as this machine's own, and ``reason``
    says why.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.reason: str | None = None

    @cached_property
    def path(self) -> Path:
        """Where the key lies."""
        return self._path or cache_folder() / "origin.key"

    def sign(self, content: bytes) -> str:
        """Return the proof that this user wrote ``content``, 64 hexadecimal digits; empty without a key."""
        return self._proof(self._signing_key, content)

    def proves(self, proof: str, content: bytes) -> bool:
        """Whether ``proof`` is what this user's key gives for ``content``. Makes no key."""
        expected = self._proof(self._key(), content)
        return bool(expected) and hmac.compare_digest(expected.encode(), proof.encode("utf-8", "replace"))

    @staticmethod
    def _proof(key: bytes | None, content: bytes) -> str:
        return hmac.new(key, content, hashlib.sha256).hexdigest() if key else ""

    @cached_property
    def _signing_key(self) -> bytes | None:
        return self._key() or self._made()

    def _key(self) -> bytes | None:
        """Return the key; None where there is none, or one that others could have read or put there."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            self.reason = f"there is no {self.path}"
            return None
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
            self.reason = f"the key cannot be read: {error}"
            return None
        try:
            self.reason = _fault(os.fstat(descriptor), self.path)
            return os.read(descriptor, KEY_BYTES) if self.reason is None else None
        except OSError as error:
            self.reason = f"the key cannot be read: {error}"
            return None
        finally:
            os.close(descriptor)

    def _made(self) -> bytes | None:
        """Make the key and return what then lies there: of two processes at once, one's key, the same for both."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _create(self.path, secrets.token_bytes(KEY_BYTES))
        except FileExistsError:
            pass  # another process was first, or what lies there is no key, which stays as it is
        except (OSError, RuntimeError) as error:
            self.reason = f"the key cannot be made: {error}"
        key = self._key()
        if key is None:
            logger.info("Checkpoints of this run will not count as this machine's own: %s.", self.reason)
        return key


def _fault(status: os.stat_result, path: Path) -> str | None:
    if not stat.S_ISREG(status.st_mode) or status.st_size != KEY_BYTES:
        return f"{path} is no key: delete it, and the next run makes a new one"
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        return f"{path} can be read or written by others: delete it, and the next run makes a new one"
    return None


def _create(path: Path, key: bytes) -> None:
    """Write a file that appears whole or not at all, and replaces nothing.

    Raises:
        FileExistsError: Something lies there.
        OSError: It cannot be written.
    """
    with temporary_for(path, "tmp") as temporary:
        try:
            _write_new(temporary, key)
            os.link(temporary, path)  # unlike a rename it fails where another process was first
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
    with contextlib.suppress(OSError):  # without it a power failure costs the key: nothing is its own then
        sync_directory(path.parent)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
