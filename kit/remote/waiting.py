"""Waiting for a kernel to end, without believing an end that is the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.remote.client import KaggleClient
from kit.remote.kernel_ref import KernelRef
from kit.remote.replies import AbsentError, KernelStatus

EVERY_S = 30.0
LATE = 4
"""After a push Kaggle may still tell how the version before ended, or deny that there is one: so many questions long
neither is believed."""


@dataclass(frozen=True)
class Waiting:
    """Asks every ``every_s`` seconds; ``tell`` gets a line at each change."""

    client: KaggleClient
    every_s: float = EVERY_S
    tell: Callable[[str], object] = lambda _: None
    clock: Clock = SYSTEM_CLOCK

    def until_ended(self, ref: KernelRef, pushed_at_s: float) -> KernelStatus:
        """Return how the kernel ended that was pushed at ``pushed_at_s`` (seconds since 1970).

        An end is believed once it was seen under way, or that long after the push.
        """
        seen, shown = False, ""
        while True:
            late_s = self.clock.wall() - pushed_at_s
            status = self._status(ref, may_be_absent=late_s < LATE * self.every_s)
            if status.under_way:
                seen = True
            elif seen or late_s >= LATE * self.every_s:
                self.tell(f"{ref}: {status.state}{f' ({status.message})' if status.message else ''}")
                return status
            word = status.state if status.under_way else "not begun yet"
            if word != shown:
                self.tell(f"{ref}: {word}")
                shown = word
            self.client.backoff.pause(self.every_s)

    def _status(self, ref: KernelRef, *, may_be_absent: bool) -> KernelStatus:
        try:
            return self.client.status(ref)
        except AbsentError:
            if not may_be_absent:
                raise
            return KernelStatus("NEW_SCRIPT")
