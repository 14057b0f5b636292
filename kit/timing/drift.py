"""Drift: whether a phase becomes slower or faster while the quick test runs, beyond the scatter of its windows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

WINDOWS = 12
KEPT = 96
FEWEST = 5
"""Windows in each half that it takes to show a drift: by chance all of one half lie above the other in 2 of 252."""
NOTICEABLE = 1.1
"""How large a factor, up or down, is worth a word."""

Account = tuple[float, float]
"""Units and seconds of one phase."""


class Trace:
    """The accounts of all phases at some instants of a quick test, at most KEPT of them, evenly thinned."""

    def __init__(self) -> None:
        self._seen: list[dict[str, Account]] = []
        self._stride, self._waited = 1, 0

    def note(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the rows of a PhaseTimer as they stand."""
        self._waited += 1
        if self._waited < self._stride:
            return
        self._waited = 0
        self._seen.append({str(row["name"]): (float(row["count"]), float(row["total_s"])) for row in rows})
        if len(self._seen) > KEPT:
            self._seen, self._stride = self._seen[::2], 2 * self._stride

    def windows(self) -> list[dict[str, Account]]:
        """Return what each phase did in stretches of equal length: WINDOWS of them, up to twice as many, or fewer."""
        edges = self._seen[:: max(1, len(self._seen) // WINDOWS)]
        return [_between(before, after) for before, after in pairwise(edges)]


def _between(before: Mapping[str, Account], after: Mapping[str, Account]) -> dict[str, Account]:
    done = {}
    for name, (count, seconds) in after.items():
        units, began_s = before.get(name, (0.0, 0.0))
        done[name] = (count - units, seconds - began_s)
    return done


def drift(windows: Sequence[Mapping[str, Sequence[float]]], phase: str) -> float | None:
    """Return the seconds a unit of the later half of the windows over those of the earlier, or None without a drift.

    A drift is a ratio of at least NOTICEABLE either way where every window of the one half lies above every window of
    the other (the extreme of the rank-sum test). Windows that depend on each other, as in a busy spell of the machine,
    show one more often than independent ones would.
    """
    accounts = [window[phase] for window in windows if phase in window]
    means = [seconds / count for count, seconds in accounts if count > 0 and seconds > 0]
    half = len(means) // 2
    if half < FEWEST:
        return None
    early, late = means[:half], means[-half:]
    apart = max(early) < min(late) or max(late) < min(early)
    change = statistics.fmean(map(math.log, late)) - statistics.fmean(map(math.log, early))
    return math.exp(change) if apart and abs(change) >= math.log(NOTICEABLE) else None
