"""What was called: every request that reached the server, in order."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One request: its name, the HTTP code of its answer (0 where none was sent), and what came in its body."""

    name: str
    code: int
    body: object


class Journal:
    """All calls of one server."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self.strays: list[str] = []
        """Hosts that were asked for through the server and are not it: nothing of the kind may happen."""
        self._lock = threading.Lock()

    def add(self, name: str, code: int, body: object = None) -> None:
        """Note a call."""
        with self._lock:
            self._calls.append(Call(name, code, body))

    def calls(self, name: str = "") -> list[Call]:
        """Return the calls of that name, all without one."""
        with self._lock:
            return [call for call in self._calls if name in ("", call.name)]
