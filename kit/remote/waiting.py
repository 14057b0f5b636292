"""Waiting for a kernel to end, without believing an end that is the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kit.errors import RemoteError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.progress_line import read_progress
from kit.remote.backoff import GivenUpError
from kit.remote.client import KaggleClient
from kit.remote.kernel_ref import KernelRef
from kit.remote.replies import AbsentError, KernelStatus, State
from kit.report.remote import progress_text

EVERY_S = 30.0
LATE, LATE_S = 4, 120.0
"""After a push Kaggle may still tell how the version before ended, or deny that there is one: so many questions long,
and so many seconds at least, neither is believed."""
NOT_BEGUN: State = "NEW_SCRIPT"
PATIENCE_S = 1800.0
"""So long Kaggle may be out of reach before a wait is given up."""


@dataclass(frozen=True)
class Waiting:
    """Asks every ``every_s`` seconds; ``tell`` gets a line at each change."""

    client: KaggleClient
    every_s: float = EVERY_S
    tell: Callable[[str], object] = lambda _: None
    clock: Clock = SYSTEM_CLOCK
    steps: dict[str, int] = field(default_factory=dict)
    """How far each run was when it last said so."""

    def until_ended(self, ref: KernelRef, pushed_at_s: float, former: str | None = None) -> KernelStatus:
        """Return how the kernel ended that was pushed at ``pushed_at_s`` (seconds since 1970).

        An end is believed once it was seen under way, where the version before ended otherwise (``former`` is how,
        empty where there was none, None where that is not known), or long enough after the push.

        Raises:
            RemoteError: Kaggle is out of reach for half an hour, or denies that there is such a kernel.
        """
        seen, shown = False, ""
        while True:
            early = self.clock.wall() - pushed_at_s < max(LATE_S, LATE * self.every_s)
            status = self._status(ref, may_be_absent=early)
            new = seen or not early or (former is not None and status.state != former)
            if status.under_way:
                seen = True
            elif new and status.state != NOT_BEGUN:
                self.tell(f"{ref}: {status.state}{f' ({status.message})' if status.message else ''}")
                return status
            elif self.clock.wall() - pushed_at_s >= PATIENCE_S and not status.under_way and new:
                raise RemoteError(f"{ref} has not begun in half an hour; its page on Kaggle may say why.")
            word = status.state if status.under_way else "not begun yet"
            if word != shown:
                self.tell(f"{ref}: {word}")
                shown = word
            if status.state == "RUNNING":
                self._show_progress(ref)
            self.client.backoff.pause(self.every_s)

    def _show_progress(self, ref: KernelRef) -> None:
        """Tell what the run says of itself, as it comes, until Kaggle's stream ends; it begins at the first line."""
        for line in self.client.follow(ref):
            progress = read_progress(line)
            if progress is not None and progress.step > self.steps.get(str(ref), -1):
                self.steps[str(ref)] = progress.step
                self.tell(f"{ref}: {progress_text(vars(progress))}")

    def _status(self, ref: KernelRef, *, may_be_absent: bool) -> KernelStatus:
        since_s = self.clock.monotonic()
        while True:
            try:
                return self.client.status(ref)
            except AbsentError:
                if not may_be_absent:
                    raise
                return KernelStatus(NOT_BEGUN)
            except GivenUpError as error:
                if self.clock.monotonic() - since_s >= PATIENCE_S:
                    text = f"{error} It goes on at Kaggle; `status {ref}` and `pull {ref}` show how."
                    raise RemoteError(text) from error
                self.tell(f"{ref}: {error} It goes on at Kaggle, and is asked for again.")
            self.client.backoff.pause(self.every_s)
