"""What a quick test measured, as timing.json holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.errors import UsageError
from kit.timing.phases import COMPILE
from kit.timing.plan import RunPlan


@dataclass(frozen=True)
class Measurement:
    """Phases by name with count, wall and CPU seconds; log and disk; and the plan of the full run.

    ``windows`` are units and seconds of each phase in some stretches of it, one after the other; ``busy_share`` is the
    share of it that others on the machine may have cost, at most.
    """

    timesteps: int
    phases: Mapping[str, Mapping[str, float]]
    plan: RunPlan
    log_lines: float
    log_bytes: float
    checkpoint_cost_s: float
    disk_fixed_bytes: float
    disk_per_step_bytes: float
    checkpoint_base_bytes: float
    log_fixed_lines: float = 0.0
    log_fixed_bytes: float = 0.0
    windows: Sequence[Mapping[str, Sequence[float]]] = ()
    busy_share: float = 0.0

    @classmethod
    def from_json(cls, timing: Mapping[str, Any]) -> Measurement:
        """Read it from timing.json.

        Raises:
            UsageError: the quick test measured nothing that a forecast could be made from, or none of what the run
                is made of: without a gradient step its times say nothing of one that learns.
        """
        try:
            found = cls._read(timing)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(
                f"timing.json holds no quick test that can be read ({type(error).__name__}: {error}): run `quick-test` "
                "again."
            ) from error
        if found is None or not any(row["total_s"] > 0 for row in found.phases.values()):
            raise UsageError("There is no quick test to forecast from: run `quick-test` first.")
        found._refuse_missing()
        return found

    @classmethod
    def _read(cls, timing: Mapping[str, Any]) -> Measurement | None:
        measured = timing.get("measured") or {}
        if not measured or not measured.get("timesteps"):
            return None
        phases = {str(row["name"]): _account(row) for row in timing["phases"]}
        apart = ("timesteps", "plan", "windows")
        rest = {name: float(value) for name, value in measured.items() if name not in apart}
        windows = [
            {str(name): (float(count), float(seconds)) for name, (count, seconds) in window.items()}
            for window in measured.get("windows", ())
        ]
        plan = RunPlan.from_json(measured["plan"])
        return cls(int(measured["timesteps"]), phases, plan, **rest, windows=windows)

    def _refuse_missing(self) -> None:
        """A hundred steps of collection, multiplied by 240, cost a whole night once."""
        counts = self.counts()
        for phase, leader in self.plan.rates.items():
            if not counts.get(phase):
                what = "gradient step" if phase == "update" else f"unit of {phase!r}"
                raise UsageError(
                    f"The quick test of {self.timesteps:,} steps contained no {what}, which the run has with every "
                    f"{leader}: its times say nothing about it. Lower learning_starts, or give it more steps."
                )

    def refuse_unmeasured(self, timesteps: int) -> None:
        """Raise UsageError where a run of ``timesteps`` has units of a phase that the quick test never came to."""
        counts = self.counts()
        for phase in self.plan.phases:
            units = self.plan.count(phase, timesteps, counts)
            if units > 0 and not counts.get(phase):
                raise UsageError(
                    f"The quick test of {self.timesteps:,} steps ended before its first unit of {phase!r}, of which "
                    f"the run has {units:,.0f}: nothing says what they take. Let the quick test come to one."
                )

    @property
    def compiled_s(self) -> float:
        """Seconds of the quick test that a run does not take again: what they compiled is on disk."""
        return self.phases[COMPILE]["total_s"] if COMPILE in self.phases else 0.0

    def counts(self) -> dict[str, float]:
        """Units of each phase in the quick test."""
        return {name: float(row["count"]) for name, row in self.phases.items()}


def _account(row: Mapping[str, Any]) -> dict[str, float]:
    return {
        "count": float(row["count"]),
        "total_s": float(row["total_s"]),
        "cpu_s": float(row.get("cpu_s", 0.0)),
    }
