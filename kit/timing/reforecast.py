"""The forecast again while the run goes: what is still to come, from what it has cost so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kit.timing.forecast import BY_TIME
from kit.timing.measured import Measurement
from kit.timing.plan import RunPlan

OVER = ("setup", "warm_up")
"""Phases that are over once a session trains."""
LAST = "finalise"


class Reforecast:
    """Σ over phases of (units still to come × mean seconds a unit), plus what is kept safe meanwhile, plus the end.

    The mean of a phase is this session's own once it has done as many units as the quick test did; before that both
    count together. What neither has measured is left out.
    """

    def __init__(self, before: Measurement | None = None) -> None:
        self._before = before
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._done: dict[str, float] = {}

    def update(self, rows: Iterable[Mapping[str, Any]], earlier: Iterable[Mapping[str, Any]] = ()) -> None:
        """Take the phases of this session as they stand, and those of the ``earlier`` sessions of the run."""
        self._rows = {str(row["name"]): row for row in rows}
        self._done = {name: float(row["count"]) for name, row in self._rows.items()}
        for row in earlier:
            self._done[str(row["name"])] = self._done.get(str(row["name"]), 0.0) + float(row["count"])

    def remaining_s(self, plan: RunPlan, step: int, total: int) -> float | None:
        """Return the seconds from ``step`` to the end of the command; None while nothing has been measured."""
        plan = self._whole(plan)
        known = [name for name in {**plan.phases, **plan.rates} if self._mean(name) is not None]
        if not known:
            return None
        busy_s = sum(self._to_come(plan, name, step, total) * (self._mean(name) or 0.0) for name in known)
        return busy_s * (1.0 + self._kept_share()) + self._end_s()

    def _whole(self, plan: RunPlan) -> RunPlan:
        """Return the plan with what the quick test knew of the whole run: some of it is said only at its end."""
        if self._before is None:
            return plan
        first = self._before.plan
        return RunPlan({**first.phases, **plan.phases}, {**first.rates, **plan.rates})

    def _to_come(self, plan: RunPlan, name: str, step: int, total: int) -> float:
        """Return the units still to come: of what goes by steps those after ``step``, of the rest those not done."""
        counts = self._counts()
        planned = plan.phases.get(name)
        whole = plan.count(name, total, counts)
        if planned is not None and (planned.fixed or planned.repeats):
            return max(0.0, whole - self._done.get(name, 0.0))
        return max(0.0, whole - plan.count(name, step, counts))

    def _counts(self) -> dict[str, float]:
        """Return the units by which one phase follows another: this session's and the quick test's."""
        counts = {name: float(row["count"]) for name, row in self._rows.items()}
        for name, count in (self._before.counts() if self._before else {}).items():
            counts[name] = counts.get(name, 0.0) + count
        return counts

    def _mean(self, name: str) -> float | None:
        count, seconds = self._account(self._rows.get(name))
        before = self._before.phases.get(name) if self._before else None
        units, took_s = self._account(before)
        if count < units or not count:
            count, seconds = count + units, seconds + took_s
        return seconds / count if count else None

    @staticmethod
    def _account(row: Mapping[str, Any] | None) -> tuple[float, float]:
        return (float(row["count"]), float(row["total_s"])) if row else (0.0, 0.0)

    def _kept_share(self) -> float:
        """Return the seconds of checkpoints and exports for each second of the rest, in this session so far."""
        busy_s = sum(
            float(row["total_s"]) for name, row in self._rows.items() if name not in (*OVER, *BY_TIME)
        )
        kept_s = sum(float(row["total_s"]) for name, row in self._rows.items() if name in BY_TIME)
        return kept_s / busy_s if busy_s > 0 else 0.0

    def _end_s(self) -> float:
        """Return what the last checkpoint, the last export and finalising take, where the quick test tells it."""
        found = 0.0
        for name in (*BY_TIME, LAST):
            count, seconds = self._account(self._before.phases.get(name) if self._before else None)
            found += seconds / count if count else 0.0
        return found
