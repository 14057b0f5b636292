"""Asking a run to stop softly, from the process that runs the notebook."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from types import FrameType

from kit.errors import StorageError
from kit.harness.store import atomic_write

logger = logging.getLogger(__name__)

POLL_S = 0.5


class StopAsker:
    """Asks the training to stop, once: by its stop file, or, where it has none, by interrupting the cell.

    SIGTERM and SIGINT to this process ask (nbclient's and Python's own answer would be to take the kernel
    down in the middle of a step); so does the end of the process that asked for the run, which would
    otherwise leave a training behind that nobody sees.
    """

    def __init__(self, stop_file: str, kernel_pid: int, parent: int) -> None:
        self._stop_file = Path(stop_file) if stop_file else None
        self._kernel_pid = kernel_pid
        self._parent = parent
        self._signalled = threading.Event()
        self._reason = ""

    def watch(self) -> None:
        """Answer signals and watch the parent from now on, in a thread that ends once it has asked."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._watch, name="stop-asker", daemon=True).start()

    @property
    def orphaned(self) -> bool:
        """Whether the process that asked for the run is gone."""
        return os.getppid() != self._parent

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # Nothing more: what a handler does, it does in the middle of anything at all.
        self._reason = f"{signal.Signals(number).name} to the process that runs the notebook"
        self._signalled.set()

    def _watch(self) -> None:
        while not self._signalled.wait(POLL_S):
            if self.orphaned:
                self._reason = "the command that started this run is gone"
                break
        logger.warning("Asking the notebook to stop: %s", self._reason)
        if self._stop_file is None:
            self._interrupt()
        elif not self._stop_file.exists():
            self._write(self._stop_file)

    def _write(self, path: Path) -> None:
        try:
            atomic_write(path, self._reason + "\n")
        except StorageError:
            logger.exception("The stop file %s cannot be written; interrupting the cell instead", path)
            self._interrupt()

    def _interrupt(self) -> None:
        try:
            os.kill(self._kernel_pid, signal.SIGINT)
        except ProcessLookupError:
            logger.warning("There is no kernel left to interrupt")
