"""Starting the client so that no Ctrl-C is lost: between a fork and what follows Python swallows one.

A process with a ``preexec_fn`` is forked with Python's hooks. A KeyboardInterrupt that is raised in one of them is
printed and forgotten, here as in the child, so SIGINT is only noted meanwhile and raised afterwards.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import Any


def start(words: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
    """Start a process as ``subprocess.Popen`` does; a Ctrl-C meanwhile ends it, and is then raised."""
    if threading.current_thread() is not threading.main_thread():
        return subprocess.Popen(words, **how)
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    try:
        process = subprocess.Popen(words, **how)
    finally:
        signal.signal(signal.SIGINT, before)
    if noted:
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            end(process)
            raise
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill it, close its pipes, and wait for it."""
    process.kill()
    with process:
        pass
