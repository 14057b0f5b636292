"""The body of a request, read piece by piece, whether its length is given or it comes in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

PIECE = 1 << 20


class BodyReader:
    """Reads one request's body from the connection, exactly once."""

    def __init__(self, stream: BinaryIO, length: str | None, encoding: str | None) -> None:
        self._stream, self._left = stream, int(length or 0)
        self._chunked = (encoding or "").lower() == "chunked"

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left of the body."""
        while self._left > 0:
            piece = self._stream.read(min(self._left, PIECE))
            if not piece:
                return
            self._left -= len(piece)
            yield piece
        while self._chunked:
            size = int(self._stream.readline().partition(b";")[0], 16)
            if size:
                yield self._stream.read(size)
            self._stream.readline()
            self._chunked = size > 0

    def all(self) -> bytes:
        """Return the whole body."""
        return b"".join(self.chunks())
