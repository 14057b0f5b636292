"""Drift: whether a phase becomes slower or faster while the quick test runs, beyond the scatter of its windows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

WINDOWS = 8
KEPT = 64
SIGNIFICANT = 2.0
"""How many standard errors make a drift …"""
NOTICEABLE = 1.1
"""… and how large a factor, up or down, is worth a word."""

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
        """Return what each phase did in each of WINDOWS stretches between the first instant and the last."""
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

    A drift is a ratio of at least NOTICEABLE either way that is also SIGNIFICANT standard errors of its logarithm
    away from none. Fewer than four windows with units of the phase show none.
    """
    accounts = [window[phase] for window in windows if phase in window]
    means = [seconds / count for count, seconds in accounts if count > 0 and seconds > 0]
    if len(means) < 4:
        return None
    logs = [math.log(mean) for mean in means]
    half = len(logs) // 2
    early, late = logs[:half], logs[-half:]
    change = statistics.fmean(late) - statistics.fmean(early)
    error = math.sqrt((statistics.variance(early) + statistics.variance(late)) / half)
    if abs(change) < math.log(NOTICEABLE) or abs(change) < SIGNIFICANT * error:
        return None
    return math.exp(change)
