"""An outcome: what was said of one workload beforehand, by the kit and by simpler ways, and what its run took."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.forecast.rivals import hundred_steps_s, naive_s
from kit.timing.forecast import phase_forecast, predicted_cpu_s, predicted_s
from kit.timing.measured import Measurement
from kit.timing.pair import Pair


@dataclass(frozen=True)
class Outcome:
    """One workload, measured and run; times in seconds of wall clock unless they say otherwise.

    Attributes:
        name: of the workload.
        timesteps: of the run.
        date: when it was measured.
        machine: the kind of machine it was measured on.
        measured: what the quick test found.
        pair: what the kit, as it is now, forecasts from that, and what the run took.
        changed: whether the kit forecast something else when the run was made.
        hundred_s: what the hundred-step method says.
        naive_s: what the naive mean says.
        quick_wall_s: the whole command of the quick test.
        run_wall_s: the whole command of the run.
        rows: (step, seconds since the launch) of the run.
    """

    name: str
    timesteps: int
    date: str
    machine: str
    measured: Measurement
    pair: Pair
    changed: bool
    hundred_s: float
    naive_s: float
    quick_wall_s: float
    run_wall_s: float
    rows: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Outcome:
        """Read it from the facts of a workload that did not fail.

        Raises:
            ValueError: the run left no pair, or more than one.
        """
        timesteps = int(facts["timesteps"])
        measured = Measurement.from_json(facts["quick"]["timing"])
        if len(facts["pairs"]) != 1:
            raise ValueError(f"{facts['name']} must leave one pair in the history, not {len(facts['pairs'])}")
        then = Pair.from_json(facts["pairs"][0])
        now = forecast_now(then, measured, timesteps)
        hundred = facts["hundred_steps"]
        return cls(
            name=str(facts["name"]),
            timesteps=timesteps,
            date=str(facts["date"]),
            machine=str(facts["machine"]),
            measured=measured,
            pair=now,
            changed=now.predicted_s != then.predicted_s or now.predicted_cpu_s != then.predicted_cpu_s,
            hundred_s=hundred_steps_s(measured, timesteps, hundred["steps"], hundred["seconds"]),
            naive_s=naive_s(measured, timesteps),
            quick_wall_s=float(facts["quick"]["wall_s"]),
            run_wall_s=float(facts["run"]["wall_s"]),
            rows=tuple((int(step), float(seconds)) for step, seconds in facts["rows"]),
        )

    @property
    def error(self) -> float:
        """How much longer the run took than was forecast, as a share of the forecast."""
        return self.pair.actual_s / self.pair.predicted_s - 1.0

    @property
    def cpu_error(self) -> float:
        """The same of the CPU seconds of the training process."""
        return (self.pair.actual_cpu_s or 0.0) / (self.pair.predicted_cpu_s or math.nan) - 1.0

    @property
    def quick_steps(self) -> float:
        """Steps of the quick test over those of the run."""
        return self.measured.timesteps / self.timesteps

    @property
    def quick_time(self) -> float:
        """Seconds of the quick test's command over those of the run's."""
        return self.quick_wall_s / self.run_wall_s

    @property
    def drifting(self) -> dict[str, float]:
        """The phases whose pace changed while the quick test went, by its own account, and by what factor."""
        rows = phase_forecast(self.measured, self.timesteps)
        return {row["name"]: row["drift"] for row in rows if row["drift"] is not None}

    def drifted(self, phase: str) -> bool:
        """Whether a phase that was told to drift came out on that side of its forecast."""
        predicted_s, actual_s = self.pair.phases.get(phase, (0.0, 0.0))
        return actual_s > predicted_s if self.drifting[phase] > 1.0 else actual_s < predicted_s


def forecast_now(pair: Pair, measured: Measurement, timesteps: int) -> Pair:
    """Return the pair with what the kit forecasts now; it is the same one where its arithmetic is still the same."""
    seconds = {row["name"]: round(float(row["total_s"]), 3) for row in phase_forecast(measured, timesteps)}
    return replace(
        pair,
        predicted_s=round(predicted_s(measured, timesteps), 3),
        predicted_cpu_s=round(predicted_cpu_s(measured, timesteps), 3),
        phases={name: (seconds.get(name, 0.0), actual) for name, (_, actual) in pair.phases.items()},
    )
