"""The forecast again while the run goes: what is still to come, from what it has cost so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kit.timing.forecast import BY_TIME, ONCE
from kit.timing.measured import Measurement
from kit.timing.phases import COMPILE
from kit.timing.plan import RunPlan

OVER = ("setup", "warm_up", COMPILE)
"""Phases that are over once a session trains."""
LAST = "finalise"
OWN_FROM = 0.5
"""The share of the steps from which on a run's own means count alone."""


class Reforecast:
    """Σ over phases of (units still to come × mean seconds a unit), plus what is kept safe meanwhile, plus the end.

    The mean of a phase goes over from the quick test's to this session's own in the first half of the run, in
    proportion to its steps: the quick test went through the whole schedule, of which a run has at first only the
    beginning. ``before`` is the quick test; without one what follows training is not known, nor what ending takes.
    """

    def __init__(self, before: Measurement | None = None) -> None:
        self.before = before
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._first: dict[str, Mapping[str, Any]] = {}
        self._done: dict[str, float] = {}

    def update(self, rows: Iterable[Mapping[str, Any]], earlier: Iterable[Mapping[str, Any]] = ()) -> None:
        """Take the phases of this session as they stand, and those of the ``earlier`` sessions of the run."""
        self._rows = {str(row["name"]): row for row in rows}
        self._first = self._first or self._rows
        self._done = {name: float(row["count"]) for name, row in self._rows.items()}
        for row in earlier:
            name = str(row["name"])
            self._done[name] = self._done.get(name, 0.0) + float(row["count"])

    def remaining_s(self, plan: RunPlan, step: int, total: int) -> float | None:
        """Return the seconds from ``step`` to the end of a run of ``total``.

        None while anything that is to come has not been measured yet: a sum without it would be no forecast.
        """
        plan = self._whole(plan)
        busy_s = 0.0
        for name in self._names(plan):
            units, mean = self._to_come(plan, name, step, total), self._mean(name, step / total)
            if mean is None and (units > 0 or self._leader_to_come(plan, name, step, total)):
                return None
            busy_s += units * (mean or 0.0)
        if not any(self._mean(name, 1.0) is not None for name in self._names(plan)):
            return None
        return busy_s * (1.0 + self._kept_share()) + self._end_s()

    def _whole(self, plan: RunPlan) -> RunPlan:
        """Return the plan with what the quick test knew of the whole run: some of it is said only at its end."""
        if self.before is None:
            return plan
        first = self.before.plan
        return RunPlan({**first.phases, **plan.phases}, {**first.rates, **plan.rates})

    def _names(self, plan: RunPlan) -> list[str]:
        """Return the phases that count by units: those planned, and those that the quick test had unplanned."""
        seen = self.before.phases if self.before else {}
        return [
            *{
                **plan.phases,
                **plan.rates,
                **dict.fromkeys(name for name in seen if name not in (*ONCE, *BY_TIME, COMPILE)),
            }
        ]

    def _to_come(self, plan: RunPlan, name: str, step: int, total: int) -> float:
        """Return the units still to come: of what goes by steps those after ``step``, of the rest those not done."""
        counts = self._counts()
        planned = plan.phases.get(name)
        if name in plan.rates:
            return plan.count(name, total, counts) - plan.count(name, step, counts)
        if planned is None:
            before = self.before.counts().get(name, 0.0) if self.before else 0.0
            return max(0.0, before - self._done.get(name, 0.0))
        by_steps = planned.per_step * (planned.span(total) - planned.span(step))
        repeated = planned.repeats.units * planned.repeats.to_come(step, total) if planned.repeats else 0.0
        beyond = max(0.0, self._done.get(name, 0.0) - planned.per_step * planned.span(step))
        return max(0.0, by_steps) + repeated + max(0.0, planned.fixed - beyond)

    def _leader_to_come(self, plan: RunPlan, name: str, step: int, total: int) -> bool:
        leader = plan.rates.get(name)
        return leader is not None and self._to_come(plan, leader, step, total) > 0

    def _counts(self) -> dict[str, float]:
        """Return the units by which one phase follows another: this session's and the quick test's."""
        counts = {name: float(row["count"]) for name, row in self._rows.items()}
        for name, count in (self.before.counts() if self.before else {}).items():
            counts[name] = counts.get(name, 0.0) + count
        return counts

    def _mean(self, name: str, share: float) -> float | None:
        """Return the seconds a unit with ``share`` of the steps done; own ones count alone from OWN_FROM on."""
        count, seconds = _account(self._rows.get(name))
        units, took_s = _account(self.before.phases.get(name) if self.before else None)
        if not count or not units:
            return (seconds + took_s) / (count + units) if count or units else None
        if count < units:
            count, seconds = count + units, seconds + took_s
        own = min(1.0, share / OWN_FROM)
        return own * seconds / count + (1.0 - own) * took_s / units

    def _kept_share(self) -> float:
        """Return the seconds of checkpoints and exports for each second of the rest, since the first boundary."""
        kept_s = sum(self._since_first(name) for name in self._rows if name in BY_TIME)
        busy_s = sum(self._since_first(name) for name in self._rows if name not in (*OVER, *BY_TIME))
        return kept_s / busy_s if busy_s > 0 else 0.0

    def _since_first(self, name: str) -> float:
        """Return the seconds of a phase since the first reading: what restoring took before it comes only once."""
        return _account(self._rows[name])[1] - _account(self._first.get(name))[1]

    def _end_s(self) -> float:
        """Return what the last checkpoint, the last export and finalising take, where the quick test tells it."""
        found = 0.0
        for name in (*BY_TIME, LAST):
            count, seconds = _account(self.before.phases.get(name) if self.before else None)
            found += seconds / count if count else 0.0
        return found


def _account(row: Mapping[str, Any] | None) -> tuple[float, float]:
    """Return units and seconds of a row; none of a phase that was not there."""
    return (float(row["count"]), float(row["total_s"])) if row else (0.0, 0.0)
