"""Leaving a session, however it happens: an error in a cell, the end of the interpreter, a signal."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class LeavingWatch:
    """Calls ``on_error(reason)`` when a notebook cell fails, ``on_exit()`` when the interpreter ends.

    SIGTERM and SIGINT call ``on_signal(name)``, which only notes the wish: saving inside a signal handler hangs
    now and then. The second signal of a kind finds the handler that was there before, and so does the first SIGTERM
    in a process forked from this one (an environment's, say). With ``cells=False`` a failing cell is left to the
    person who goes on after it.
    """

    def __init__(
        self,
        on_error: Callable[[str], None],
        on_exit: Callable[[], None],
        on_signal: Callable[[str], None],
        *,
        cells: bool = True,
    ) -> None:
        self._cells = cells
        self._on_error, self._on_exit, self._on_signal = on_error, on_exit, on_signal
        self._previous: dict[int, Any] = {}
        self._shell: Any = None
        self._process = os.getpid()

    def start(self) -> None:
        """Register everywhere."""
        atexit.register(self._on_exit)
        if self._cells and "IPython" in sys.modules:
            self._shell = sys.modules["IPython"].get_ipython()
        if self._shell is not None:
            self._shell.events.register("post_run_cell", self._after_cell)
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._on_number)
            self._process = os.getpid()

    def stop(self) -> None:
        """Take every registration back."""
        atexit.unregister(self._on_exit)
        if self._shell is not None:
            self._shell.events.unregister("post_run_cell", self._after_cell)
            self._shell = None
        for number in list(self._previous):
            self._give_back(number)

    def _give_back(self, number: int) -> None:
        previous = self._previous.pop(number, None)
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, previous if previous is not None else signal.SIG_DFL)

    def before(self, number: int) -> Any:
        """Return the handler that was there before this one."""
        return self._previous.get(number) or signal.SIG_DFL

    def _on_number(self, number: int, _frame: FrameType | None) -> None:
        self._give_back(number)
        if number == signal.SIGTERM and os.getpid() != self._process:  # it came in the middle of a fork
            signal.raise_signal(number)
            return
        self._on_signal(signal.Signals(number).name)

    def _after_cell(self, result: Any) -> None:
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            self._on_error(f"{type(error).__name__}: {error}")


def _after_fork() -> None:
    """Give SIGTERM back in a forked child, at once: when it comes, Python may be about to block, and run no handler."""
    handler = found = signal.getsignal(signal.SIGTERM)
    while isinstance(watch := getattr(handler, "__self__", None), LeavingWatch):
        handler = watch.before(signal.SIGTERM)
    if handler is not found:
        signal.signal(signal.SIGTERM, handler)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
