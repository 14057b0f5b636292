"""A kernel whose runner died: nobody can reach it any more, so it must not train on unseen."""

from __future__ import annotations

import logging
import os
import signal

import psutil

logger = logging.getLogger(__name__)

GRACE_S = (
    5.0  # a kernel looks for its runner every second and leaves; native code that hangs keeps it from that
)
POLL_S = 0.1
SAME_PROCESS_S = 1.0


def end_kernel(pid: int, created: float) -> None:
    """Wait until the kernel ``pid`` has left, then kill it with all its children.

    ``created`` is when that process began, in seconds since the epoch: another process that has got the same
    id by now is left alone.
    """
    try:
        kernel = psutil.Process(pid)
        if abs(kernel.create_time() - created) > SAME_PROCESS_S or _leaves(kernel):
            return
        logger.warning("The kernel %d does not leave by itself: killing it", pid)
        os.killpg(pid, signal.SIGKILL)
        _leaves(kernel)  # a signal is only sent: the process is there for a moment more
    except (psutil.NoSuchProcess, ProcessLookupError):
        return


def _leaves(kernel: psutil.Process) -> bool:
    for _ in range(round(GRACE_S / POLL_S)):
        if kernel.status() == psutil.STATUS_ZOMBIE:
            return True  # it has left; in a container without an init process nobody collects it
        try:
            kernel.wait(timeout=POLL_S)
        except psutil.TimeoutExpired:
            continue
        return True
    return False
