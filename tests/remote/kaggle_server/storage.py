"""The storage behind the API: files by signed URLs that expire, whole or from a byte on, some broken on purpose."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode

from kit.harness.clock import Clock
from tests.remote.kaggle_server.answers import StorageError
from tests.remote.kaggle_server.misbehaviour import Misbehaviour

CHUNK = 1 << 20


@dataclass(frozen=True)
class Download:
    """A file on its way: the headers, the bytes as they will be sent, and how many of them before the line breaks."""

    code: int
    headers: dict[str, str]
    chunks: Iterator[bytes]
    sent_bytes: int
    cut: bool


class Storage:
    """Signs URLs and serves what they lead to."""

    def __init__(self, base: str, clock: Clock, lifetime_s: float, misbehave: Misbehaviour) -> None:
        self._base, self._clock, self._lifetime_s, self._misbehave = base, clock, lifetime_s, misbehave
        self._secret = secrets.token_bytes(16)
        self._files: dict[str, Path | bytes] = {}

    def url(self, key: str, content: Path | bytes) -> str:
        """Return a URL of that content that holds for the lifetime (s) from now on."""
        path = "/storage/" + quote(key, safe="")
        self._files[path] = content
        expires = f"{self._clock.wall() + self._lifetime_s:.3f}"
        query = {"X-Goog-Expires": expires, "X-Goog-Signature": self._signature(path, expires)}
        return f"{self._base}{path}?{urlencode(query)}"

    def download(self, path: str, query: str, wanted: str) -> Download:
        """Return the file of a signed URL.

        Args:
            path: Of the URL.
            query: Of the URL: expiry and signature.
            wanted: The Range header, empty for the whole file.

        Raises:
            StorageError: 400 for an expired URL, 403 for a signature that is not ours, 416 for a range beyond the end.
        """
        self._check(path, query)
        content = self._files[path]
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        stamp = self._clock.wall() if isinstance(content, bytes) else content.stat().st_mtime
        start = _start(wanted, size)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size - start),
            "Accept-Ranges": "bytes",
            "Last-Modified": formatdate(stamp, usegmt=True),
            "ETag": '"' + hashlib.md5(f"{path} {size} {stamp}".encode()).hexdigest() + '"',
        }
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        chunks = self._spoilt(path, size, start, _chunks(content, start))
        cut = self._misbehave.take("cut_download", unquote(path))
        sent = int((size - start) * float(str(cut.how["at"]))) if cut else size - start
        return Download(206 if wanted else 200, headers, chunks, sent, cut is not None)

    def _check(self, path: str, query: str) -> None:
        said = {name: values[0] for name, values in parse_qs(query).items()}
        expires = said.get("X-Goog-Expires", "0")
        if path not in self._files or said.get("X-Goog-Signature") != self._signature(path, expires):
            raise StorageError(403, "SignatureDoesNotMatch", "Access denied.")
        if float(expires) < self._clock.wall() or self._misbehave.take("expire_url", unquote(path)):
            raise StorageError(400, "ExpiredToken", "The provided token has expired.")

    def _spoilt(self, path: str, size: int, start: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
        switch = self._misbehave.take("corrupt", unquote(path))
        where = int(size * float(str(switch.how["at"]))) if switch else -1
        for chunk in chunks:
            if start <= where < start + len(chunk):
                at = where - start
                chunk = chunk[:at] + bytes([chunk[at] ^ 1]) + chunk[at + 1 :]
            start += len(chunk)
            yield chunk

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{path} {expires}".encode(), "sha256").hexdigest()


def _start(wanted: str, size: int) -> int:
    """Return the first byte of a ``Range: bytes=N-``."""
    found = re.fullmatch(r"bytes=(\d+)-\d*", wanted)
    if not found:
        return 0
    start = int(found[1])
    if start >= size:
        raise StorageError(416, "InvalidRange", "The requested range cannot be satisfied.")
    return start


def _chunks(content: Path | bytes, start: int) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content[start:]
        return
    with content.open("rb") as file:
        file.seek(start)
        while chunk := file.read(CHUNK):
            yield chunk
