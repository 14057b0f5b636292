"""A file of an output, brought to disk: in pieces, taken up again where it broke, and whole or not at all.

Covered: a connection that breaks (it goes on at that byte, if the server can), an address that has expired (a new one
is asked for), a server that asks for patience, an error that looks like a file, a full disk, a file that changed in
between. Whether the bytes are right only a checksum tells: the caller compares.
"""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from kit.errors import RemoteError, StorageError
from kit.harness.atomic import atomic_file, storage_errors
from kit.harness.size import format_size
from kit.remote.backoff import Backoff, PassingError
from kit.remote.http import BROKEN, Http, retry_after

CHUNK = 1 << 20
EXPIRED = frozenset({400, 401, 403, 404, 410})
"""How a store answers for an address whose time is over."""
SPARE_BYTES = 16 * 2**20
Address = Callable[[bool], str]
"""Returns the address of the file; True asks for a new one."""


class Download:
    """Downloads one file after another; ``progress`` is told every piece's bytes."""

    def __init__(
        self, http: Http, backoff: Backoff, progress: Callable[[int], object] = lambda _: None
    ) -> None:
        self._http, self._backoff, self._progress = http, backoff, progress

    def to(self, path: Path, address: Address, name: str) -> int:
        """Write the file to ``path`` and return its bytes; on any failure nothing is there.

        Raises:
            RemoteError: it cannot be had, or breaks off again and again without a byte more.
            StorageError: the disk has no room, or fails.
        """
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            return _Transfer(self._http, file, address, name, self._progress).run(self._backoff)


class _Transfer:
    def __init__(
        self, http: Http, file: BinaryIO, address: Address, name: str, progress: Callable[[int], object]
    ) -> None:
        self._http, self._file, self._address, self._name, self._progress = (
            http,
            file,
            address,
            name,
            progress,
        )
        self._at, self._etag, self._anew = 0, "", False

    def run(self, backoff: Backoff) -> int:
        """Attempts, as many in a row without a byte more as ``backoff`` allows."""
        failed, reached = 0, 0
        while True:
            try:
                self._attempt()
            except PassingError as error:
                failed, reached = (1 if self._at > reached else failed + 1), max(self._at, reached)
                if failed >= backoff.tries:
                    raise RemoteError(
                        f"{self._name}: {error} Tried {failed} times without a byte more."
                    ) from None
                backoff.wait_after(failed, error, self._name)
            else:
                return self._at

    def _attempt(self) -> None:
        headers = {"Accept-Encoding": "identity"}
        if self._at and self._etag:
            headers |= {"Range": f"bytes={self._at}-", "If-Range": self._etag}
        try:
            response = self._http.get(self._address(self._anew), headers)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from None
        with response:
            self._read(response)

    def _refused(self, error: urllib.error.HTTPError) -> RemoteError:
        if error.code in EXPIRED and not self._anew:
            self._anew = True  # the address is too old: ask for another
            return PassingError(f"Its address is no longer good ({error.code}).", after_s=0.0)
        if error.code == 429 or error.code >= 500:
            return PassingError(
                f"The server asks for patience ({error.code}).", after_s=retry_after(error.headers)
            )
        if error.code == 416:
            self._restart()
            return PassingError("It is another file than before.", after_s=0.0)
        return RemoteError(
            f"{self._name} cannot be downloaded: the server answers {error.code} {error.reason}."
        )

    def _read(self, response: http.client.HTTPResponse) -> None:
        self._anew = False
        self._place(response)
        length = response.headers.get("Content-Length", "")
        expected = self._at + int(length) if length.isdigit() else None
        self._refuse_too_large(expected)
        buffer = memoryview(bytearray(CHUNK))
        try:
            while size := response.readinto(buffer):
                self._file.write(buffer[:size])
                self._at += size
                self._progress(size)
        except BROKEN as error:
            raise PassingError(f"The connection broke at {format_size(self._at)} ({error}).") from None
        if expected is not None and self._at != expected:
            raise PassingError(f"It broke off at {self._at:,} of {expected:,} bytes.")

    def _place(self, response: http.client.HTTPResponse) -> None:
        """Go to where this answer's bytes belong: on with the file where the server goes on, else to its begin."""
        begin = re.match(r"bytes ([0-9]+)-", response.headers.get("Content-Range", ""))
        if response.status != 206 or begin is None or int(begin[1]) != self._at:
            self._restart()
            if response.status == 206:
                raise PassingError("The server goes on at another byte than asked.", after_s=0.0)
        etag = response.headers.get("ETag", "")
        # A weak one does not say that the bytes are the same.
        self._etag = "" if etag.startswith("W/") else etag or response.headers.get("Last-Modified", "")

    def _restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._at, self._etag = 0, ""

    def _refuse_too_large(self, expected: int | None) -> None:
        if expected is None:
            return
        status = os.fstatvfs(self._file.fileno())
        free = status.f_bavail * status.f_frsize
        if expected - self._at + SPARE_BYTES > free:
            raise StorageError(
                f"{self._name}: {format_size(expected)} are to come and {format_size(free)} are free on the disk. "
                "Nothing was kept."
            )
