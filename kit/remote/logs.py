"""Logs: what a kernel said, once it has ended or while it runs, and how far its run is.

While it runs the client follows Kaggle's stream. It gives up after five broken connections, with exit code 0, and
begins at the first line again when it is asked anew: so it is asked as long as the kernel runs, and what was shown is
skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kit.harness.progress_line import BEGINS, Progress, read_progress
from kit.remote.client import KaggleClient
from kit.remote.interruption import interrupted_logs, told_when_interrupted
from kit.remote.kernel_ref import KernelRef
from kit.remote.log_text import last_progress, log_lines
from kit.remote.replies import KernelStatus

Tell = Callable[[str], object]
ASK_AGAIN_S = 15.0
"""How long to wait before the stream of a kernel is asked for anew: it may be queued."""


def show_logs(client: KaggleClient, ref: KernelRef, tell: Tell, *, follow: bool = False) -> dict[str, Any]:
    """Tell every line of the log, with ``follow`` as they come until the kernel has ended.

    Returns ``{kernel, kernel_status, failure_message, lines, progress}``; ``progress`` is the last that the run said of
    itself, None where it said nothing.

    Raises:
        LeftRunningError: it was interrupted; the kernel was not.
        RemoteError: there is no such kernel.
    """
    with told_when_interrupted(lambda: interrupted_logs(ref, follow=follow)):
        return _show(client, ref, tell, follow=follow)


def _show(client: KaggleClient, ref: KernelRef, tell: Tell, *, follow: bool) -> dict[str, Any]:
    status = client.status(ref)
    if follow and status.under_way:
        followed = _Followed(client, ref, tell)
        status = followed.run(status)
        if followed.shown:
            return _found(ref, status, followed.shown, followed.progress)
        # Kaggle streamed nothing: what it kept is all there is.
    if status.under_way:
        tell("It still runs: --follow shows what it says as it comes.")
        return _found(ref, status, 0, None)
    log = client.output(ref).log
    lines = log_lines(log)
    for line in lines:
        tell(f"{line.time_s:9.1f}s  {line.text}")
    return _found(ref, status, len(lines), last_progress(log))


def _found(ref: KernelRef, status: KernelStatus, lines: int, progress: Progress | None) -> dict[str, Any]:
    return {
        "kernel": str(ref),
        "kernel_status": status.state,
        "failure_message": status.message,
        "lines": lines,
        "progress": vars(progress) if progress else None,
    }


class _Followed:
    def __init__(self, client: KaggleClient, ref: KernelRef, tell: Tell) -> None:
        self._client, self._ref, self._tell = client, ref, tell
        self.shown = 0
        self.progress: Progress | None = None
        self._begun = ""

    def run(self, status: KernelStatus) -> KernelStatus:
        """Tell the lines until the kernel has ended, and return how."""
        while True:
            for number, line in enumerate(self._client.follow(self._ref)):
                if number >= self.shown:
                    self._show(line)
            status = self._client.status(self._ref)
            if not status.under_way:
                return status
            self._client.backoff.pause(ASK_AGAIN_S)

    def _show(self, line: str) -> None:
        self.shown += 1
        self._read_progress(line)
        self._tell(line)

    def _read_progress(self, line: str) -> None:
        """Keep what a line says; the client ends a line where a record ends, so one may be in two pieces."""
        alone, joined = read_progress(line), read_progress(self._begun + line) if self._begun else None
        if joined is not None and (joined.left or read_progress(self._begun) is None):
            alone = joined
        self.progress = alone or self.progress
        whole = alone is not None and alone.left
        self._begun = line if line.startswith(BEGINS) and not whole else ""
