"""The processes of a redirected machine: once what started them is gone only their environment ties them to it."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from kit.harness.clock import SYSTEM_CLOCK
from kit.harness.platform import KAGGLE_FOLDER

logger = logging.getLogger(__name__)

WITHIN_S = 10.0


def end_dwellers(folder: Path) -> None:
    """Kill every process whose machine lies in or below ``folder``, also those that they start meanwhile."""
    end_s = SYSTEM_CLOCK.monotonic() + WITHIN_S
    while there := dwellers(folder):
        # Stopped first, so that none of them sees another one die, and does something about it.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for one in there:
                with suppress(psutil.Error):
                    one.send_signal(number)
        psutil.wait_procs(there, timeout=1.0)
        if SYSTEM_CLOCK.monotonic() > end_s:
            logger.warning("%d processes of %s cannot be ended.", len(there), folder)
            return


def dwellers(folder: Path) -> list[psutil.Process]:
    """Return the living processes whose machine lies in or below ``folder``; other users' cannot be asked."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            lies = process.environ().get(KAGGLE_FOLDER, "")
            ended = process.status() == psutil.STATUS_ZOMBIE
            if lies and not ended and process.pid != os.getpid() and Path(lies).is_relative_to(folder):
                found.append(process)
    return found
