"""What numba compiles for its cache on disk: an account apart, since later processes find it compiled."""

from __future__ import annotations

import importlib
import sys
import threading
from contextlib import AbstractContextManager
from typing import Any

from kit.timing.phases import COMPILE, PhaseTimer


class Compiling:
    """Gives the seconds of such compilations to the phase ``compile``, wherever in the process they fall.

    Only functions with ``cache=True`` count, on the thread that made this: what has no cache is compiled by every
    process, and stays in the phase that waits for it.
    """

    def __init__(self, timer: PhaseTimer) -> None:
        self._timer = timer
        self._thread = threading.get_ident()
        self._open: list[AbstractContextManager[None] | None] = []
        self._listener: Any = None

    def listen(self) -> None:
        """Begin, once numba is imported; this imports nothing of it, so it may be called often."""
        if self._listener is not None or "numba" not in sys.modules:
            return
        events = _numba_events()
        compiling = self

        class Listener(events.Listener):  # type: ignore[name-defined, misc]  # numba has no annotations
            def on_start(self, event: Any) -> None:
                compiling._begin(event)

            def on_end(self, _event: Any) -> None:
                compiling._end()

        self._listener = Listener()
        events.register("numba:compile", self._listener)

    def stop(self) -> None:
        """End it; calling it again does no harm."""
        if self._listener is not None:
            _numba_events().unregister("numba:compile", self._listener)
            self._listener = None

    def _begin(self, event: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        dispatcher = (event.data or {}).get("dispatcher")
        stats = getattr(dispatcher, "stats", None)
        kept = getattr(stats, "cache_path", None) is not None
        phase = self._timer.phase(COMPILE) if kept and self._timer.current != COMPILE else None
        if phase is not None:
            phase.__enter__()
        self._open.append(phase)  # functions are compiled inside others that call them

    def _end(self) -> None:
        if threading.get_ident() != self._thread or not self._open:
            return
        phase = self._open.pop()
        if phase is not None:
            phase.__exit__(None, None, None)


def _numba_events() -> Any:
    return importlib.import_module("numba.core.event")
