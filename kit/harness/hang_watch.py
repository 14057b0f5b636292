"""HangWatch: tells a hang from a long step, by how long the heartbeat has stood still."""

from __future__ import annotations

from dataclasses import replace

from kit.harness.heartbeat import Beat

TIMES_THE_LONGEST = 10.0
AT_MOST_A_LOOK_S = 5.0
"""What one look adds to a silence: a machine that was frozen is not a run that hangs."""


class HangWatch:
    """Follows the heartbeat of one training process.

    What is normal differs (DQN: milliseconds, PPO: a rollout, a comparison at the end: minutes), so a silence
    is a hang from ``limit_s`` on, and not before ten times the longest that came to an end.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._last: Beat | None = None
        self._looked_s: float | None = None
        self.silent_s = 0.0
        self.longest_s = 0.0
        self.hangs = False

    @property
    def limit_s(self) -> float:
        """From how long a silence on it is a hang, by what was seen so far."""
        return max(self._limit_s, TIMES_THE_LONGEST * self.longest_s)

    def observe(self, beat: Beat | None, now_s: float) -> str | None:
        """Take a reading; return ``hangs`` when a hang begins, ``goes on`` when it ends, else None."""
        passed = 0.0 if self._looked_s is None else now_s - self._looked_s
        self._looked_s = now_s
        if beat is None:
            return None
        beat = replace(beat, writing=False)  # the background thread's, whatever training does
        if beat != self._last:
            return self._moved(beat)
        self.silent_s += min(passed, AT_MOST_A_LOOK_S)
        if self.hangs or self.silent_s < self.limit_s:
            return None
        self.hangs = True
        return "hangs"

    def _moved(self, beat: Beat) -> str | None:
        self.longest_s = max(self.longest_s, self.silent_s)
        self._last, self.silent_s = beat, 0.0
        hung, self.hangs = self.hangs, False
        return "goes on" if hung else None
