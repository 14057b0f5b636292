"""The pace of a session: when to look at the clock, and when a boundary is the last one before the deadline."""

from __future__ import annotations

from kit.harness.deadline import Deadline
from kit.harness.run_folder import RunFolder
from kit.harness.watchdog import STOP_SOFT, stop_reason

LOOK_EVERY_S = 0.25


class Pace:
    """Decides at each boundary, in a fraction of a microsecond, whether anything is to be looked at.

    A run can stop only at a boundary (with PPO, that is once a rollout), so it stops at the last one that lies
    before the soft deadline: the longest gap between two boundaries so far is the margin.
    """

    def __init__(self, folder: RunFolder, deadline: Deadline, *, every_boundary: bool) -> None:
        self._folder, self._deadline, self._every_boundary = folder, deadline, every_boundary
        self._now = deadline.clock.monotonic
        self._next_look_s = 0.0
        self._last_s: float | None = None
        self.longest_gap_s = 0.0
        self._boundaries = 0
        self.wish: str | None = None
        """Why somebody wants the run to stop (a signal's name), or None."""

    def look_due(self) -> bool:
        """Whether this boundary is one to look at deadlines, stop requests, checkpoint and export."""
        now = self._now()
        if self._last_s is not None and now - self._last_s > self.longest_gap_s:
            self.longest_gap_s = now - self._last_s
        self._last_s = now
        self._boundaries += 1
        if now < self._next_look_s and not self._every_boundary:
            return False
        self._next_look_s = now + min(LOOK_EVERY_S, max(self._deadline.soft_at - now, 0.0))
        return True

    def stop_wish(self) -> str | None:
        """Return why to stop at this boundary, or None; at least one gap is worked through in a session."""
        wish = self.wish or stop_reason(self._folder)
        if wish is not None:
            return wish
        left = self._deadline.soft_left_s()
        if left <= 0 or (self._boundaries > 1 and left <= self.longest_gap_s):
            return STOP_SOFT
        return None
