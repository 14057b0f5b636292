"""The log of a run on Kaggle: a JSON array of what was written to stdout and stderr, and when."""

from __future__ import annotations

import codecs
import json
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from kit.harness.clock import SYSTEM_CLOCK, Clock

CHUNK_BYTES = 16_384
"""The most that one record holds."""


class KernelLog:
    """Writes records ``{"stream_name", "time", "data"}`` into one JSON array, each as soon as it is there.

    ``time`` is in seconds since ``began_s`` (absolute monotonic). A record is what one read gave: it may hold half a
    line or many. Until ``close`` the array lacks its closing bracket; ``read_log`` reads it all the same.
    """

    def __init__(self, path: Path, began_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._began_s, self._clock = began_s, clock
        self._adding = threading.Lock()
        self._lead = "["

    def add(self, stream_name: str, data: str) -> None:
        """Append a record; nothing is written for an empty text."""
        if not data:
            return
        with self._adding:
            time_s = round(self._clock.monotonic() - self._began_s, 9)
            record = {"stream_name": stream_name, "time": time_s, "data": data}
            text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
            self._file.write(f"{self._lead}{text}\n")
            self._file.flush()
            self._lead = ","

    def pump(self, stream_name: str, stream: IO[bytes]) -> threading.Thread:
        """Start a thread that adds what comes through a pipe, until nobody holds its other end."""
        thread = threading.Thread(target=self._pump, args=(stream_name, stream), daemon=True)
        thread.start()
        return thread

    def _pump(self, stream_name: str, stream: IO[bytes]) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with stream:
            while chunk := os.read(stream.fileno(), CHUNK_BYTES):
                self.add(stream_name, decoder.decode(chunk))
        self.add(stream_name, decoder.decode(b"", final=True))

    def close(self) -> None:
        """End the array."""
        with self._adding:
            self._file.write("]" if self._lead == "," else "[]")
            self._file.close()

    def __enter__(self) -> KernelLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the records in ``path``, also while they are being written: a last one that is cut is left out."""
    whole_lines = path.read_bytes().split(b"\n")[:-1]
    return [dict(json.loads(line.lstrip(b"[,"))) for line in whole_lines]
