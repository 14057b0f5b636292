"""The plan: how many units of each phase a run of N environment steps consists of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from kit.errors import UsageError


@dataclass(frozen=True)
class Repeats:
    """What happens every so many steps and at the end of a run, ``units`` of its phase each time.

    Attributes:
        units: units of the phase that it is each time.
        every: environment steps between two times, at least.
        times: how often in a run at most, whatever its total (longer runs have longer gaps); 0: as often as it takes.
        stride: environment steps between two boundaries, the only places where it can happen.
    """

    units: float
    every: int
    times: int = 0
    stride: int = 1

    def __post_init__(self) -> None:
        if self.every < 1 or self.stride < 1 or self.times < 0:
            raise UsageError(
                f"every and stride must be at least 1 and times at least 0, not {self.every}, {self.stride} and "
                f"{self.times}."
            )

    def count(self, timesteps: int) -> int:
        """Return how often it happens in a run of ``timesteps``: at the multiples before the end, and at the end."""
        last_boundary = (math.ceil(timesteps / self.stride) - 1) * self.stride
        return last_boundary // self._gap(timesteps) + 1

    def to_come(self, step: int, timesteps: int) -> int:
        """Return how often it still happens after ``step`` in a run of ``timesteps``."""
        return max(0, self.count(timesteps) - step // self._gap(timesteps))

    def _gap(self, timesteps: int) -> int:
        shared = math.ceil(timesteps / self.times) if self.times else 0
        return max(self.every, shared, self.stride)


@dataclass(frozen=True)
class PhasePlan:
    """Units of one phase: ``fixed + per_step · (steps between from_step and until_step)``, and what repeats."""

    fixed: float = 0.0
    per_step: float = 0.0
    from_step: int = 0
    until_step: int | None = None
    repeats: Repeats | None = None

    def count(self, timesteps: int) -> float:
        """Return the units that a run of ``timesteps`` has."""
        repeated = self.repeats.units * self.repeats.count(timesteps) if self.repeats else 0.0
        return self.fixed + self.per_step * self.span(timesteps) + repeated

    def span(self, timesteps: int) -> int:
        """Return how many of the first ``timesteps`` steps have units of this phase."""
        end = timesteps if self.until_step is None else min(timesteps, self.until_step)
        return max(0, end - self.from_step)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PhasePlan:
        """Read what ``asdict`` made of one."""
        repeats = data.get("repeats")
        return cls(**{**data, "repeats": Repeats(**repeats) if repeats else None})


@dataclass(frozen=True)
class RunPlan:
    """What a full run is made of.

    Attributes:
        phases: units by phase.
        rates: phases whose units follow another's, as measured: gradient steps follow environment steps.
        checkpoint_bytes_per_step: growth of a checkpoint (the replay buffer), bytes an environment step.
        checkpoint_up_to_steps: where that growth ends.
    """

    phases: Mapping[str, PhasePlan] = field(default_factory=dict)
    rates: Mapping[str, str] = field(default_factory=dict)
    checkpoint_bytes_per_step: float = 0.0
    checkpoint_up_to_steps: int = 0

    def count(self, phase: str, timesteps: int, measured: Mapping[str, float]) -> float:
        """Return the units of ``phase`` in a run of ``timesteps``; ``measured`` are those of the quick test."""
        if phase in self.rates:
            leader = self.rates[phase]
            seen = measured.get(leader, 0.0)
            return measured.get(phase, 0.0) / seen * self.count(leader, timesteps, measured) if seen else 0.0
        return self.phases[phase].count(timesteps) if phase in self.phases else measured.get(phase, 0.0)

    def repetitions(self, timesteps: int) -> int:
        """Return how often something that repeats happens in a run of ``timesteps``: its evaluations."""
        return sum(plan.repeats.count(timesteps) for plan in self.phases.values() if plan.repeats)

    def checkpoint_bytes(self, base_bytes: float, timesteps: int) -> float:
        """Return the size of the last checkpoint; ``base_bytes`` is what does not grow."""
        return base_bytes + self.checkpoint_bytes_per_step * min(timesteps, self.checkpoint_up_to_steps)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self) | {"phases": {name: asdict(plan) for name, plan in self.phases.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunPlan:
        """Read what ``as_json`` wrote."""
        phases = {name: PhasePlan.from_json(plan) for name, plan in data.get("phases", {}).items()}
        return cls(
            phases,
            dict(data.get("rates", {})),
            float(data.get("checkpoint_bytes_per_step", 0.0)),
            int(data.get("checkpoint_up_to_steps", 0)),
        )


class RunPlanner:
    """Collects the plan of a run while its workload is set up."""

    def __init__(self) -> None:
        self.plan = RunPlan()

    def units(
        self,
        phase: str,
        *,
        fixed: float = 0.0,
        per_step: float = 0.0,
        from_step: int = 0,
        until_step: int | None = None,
    ) -> None:
        """Say how many units of a phase the full run has; see PhasePlan."""
        self._plan(phase, PhasePlan(fixed, per_step, from_step, until_step))

    def repeats(self, phase: str, units: float, *, every: int, times: int = 0, stride: int = 1) -> None:
        """Say that a phase comes every so many steps and at the end; see Repeats."""
        self._plan(phase, PhasePlan(repeats=Repeats(units, every, times, stride)))

    def _plan(self, phase: str, planned: PhasePlan) -> None:
        self.plan = replace(self.plan, phases={**self.plan.phases, phase: planned})

    def rate(self, phase: str, *, of: str) -> None:
        """Say that a phase's units follow those of another, at the rate that is measured."""
        leader: str | None = of
        while leader is not None:
            if leader == phase:
                raise UsageError(f"{phase!r} cannot follow {of!r}, which follows it.")
            leader = self.plan.rates.get(leader)
        self.plan = replace(self.plan, rates={**self.plan.rates, phase: of})

    def checkpoint(self, *, bytes_per_step: float, up_to_steps: int) -> None:
        """Say how a checkpoint grows with the steps done."""
        self.plan = replace(
            self.plan, checkpoint_bytes_per_step=bytes_per_step, checkpoint_up_to_steps=up_to_steps
        )
