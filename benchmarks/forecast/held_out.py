"""Held out: each workload's time against an interval that only the others have made."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.forecast.outcome import Outcome
from benchmarks.forecast.windows import Window
from kit.timing.forecast import bounds
from kit.timing.interval import Intervals, conformal


@dataclass(frozen=True)
class Held:
    """A forecast, its interval, and the time that it should hold; seconds."""

    predicted_s: float
    low_s: float
    high_s: float
    actual_s: float

    @property
    def inside(self) -> bool:
        """Whether it does."""
        return self.low_s <= self.actual_s <= self.high_s

    @property
    def error(self) -> float:
        """How much longer it took than was forecast, as a share of the forecast."""
        return self.actual_s / self.predicted_s - 1.0

    @property
    def width(self) -> float:
        """Its upper bound over its lower one."""
        return self.high_s / self.low_s


def coverage(held: Sequence[Held]) -> float:
    """Return the share that is inside."""
    return statistics.fmean(one.inside for one in held)


def median_width(held: Sequence[Held]) -> float:
    """Return the median of high over low."""
    return statistics.median(one.width for one in held)


def held_runs(outcomes: Sequence[Outcome]) -> dict[str, Held]:
    """Return the interval that the product gives each whole run, with the others' pairs for its history."""
    found = {}
    for one in outcomes:
        interval = _intervals_without(one, outcomes).run()
        found[one.name] = Held(
            one.pair.predicted_s, *bounds(one.measured, one.timesteps, interval), one.pair.actual_s
        )
    return found


def held_ahead(outcomes: Sequence[Outcome]) -> dict[float, list[Held]]:
    """Return the same of what was still to come when a run forecast again, by the share of the steps then done."""
    found: dict[float, list[Held]] = {}
    for one in outcomes:
        intervals = _intervals_without(one, outcomes)
        for ahead in one.pair.ahead:
            interval = intervals.ahead(ahead.share)
            held = Held(ahead.predicted_s, *interval.around(ahead.predicted_s), ahead.actual_s)
            found.setdefault(ahead.share, []).append(held)
    return dict(sorted(found.items()))


def _intervals_without(one: Outcome, outcomes: Sequence[Outcome]) -> Intervals:
    pairs = [other.pair for other in outcomes if other.name != one.name]
    return Intervals(one.machine, own=pairs, shipped=pairs)


def held_windows(windows: Mapping[str, Sequence[Window]]) -> dict[str, list[Held]]:
    """Return the windows of each workload with the conformal interval of the ratios of all the others' windows."""
    found = {}
    for name, own in windows.items():
        interval = conformal(
            window.actual_s / window.predicted_s
            for other, others in windows.items()
            if other != name
            for window in others
        )
        found[name] = [
            Held(window.predicted_s, *interval.around(window.predicted_s), window.actual_s) for window in own
        ]
    return found
