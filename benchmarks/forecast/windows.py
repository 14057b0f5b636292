"""Windows: a run cut into slices by its steps, each with the seconds that were forecast for it and those it took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from kit.timing.forecast import predicted_s
from kit.timing.measured import Measurement
from kit.timing.plan import PhasePlan, RunPlan

SLICES = 10


@dataclass(frozen=True)
class Window:
    """The stretch between two rows of a run: seconds forecast for just these steps, and seconds taken."""

    begin: int
    end: int
    predicted_s: float
    actual_s: float

    @property
    def counts(self) -> bool:
        """Whether its ratio says something: nothing can be made of a slice that was forecast to take no time."""
        return self.predicted_s > 0 and self.actual_s > 0


def windows(measured: Measurement, timesteps: int, rows: Sequence[tuple[int, float]]) -> list[Window]:
    """Cut a run, between its first row and its last, at the rows nearest to each tenth of its steps.

    What set-up and end take is in none of them.

    Fewer than SLICES come out where rows are so few that two tenths share one.
    """
    return [
        Window(a, b, foretold_s(measured, timesteps, b) - foretold_s(measured, timesteps, a), took_b - took_a)
        for (a, took_a), (b, took_b) in pairwise(_edges(timesteps, rows))
    ]


def _edges(timesteps: int, rows: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    if not rows:
        return []
    tenths = [timesteps * number / SLICES for number in range(1, SLICES)]
    inner = {min(rows, key=lambda row: abs(row[0] - tenth)) for tenth in tenths}
    return sorted({rows[0], *inner, rows[-1]})


def foretold_s(measured: Measurement, timesteps: int, step: int) -> float:
    """Return the seconds forecast up to the row at ``step`` of a run of ``timesteps``, and for an end there."""
    return predicted_s(replace(measured, plan=_up_to(measured.plan, timesteps, step)), step)


def _up_to(plan: RunPlan, timesteps: int, step: int) -> RunPlan:
    """Return the plan with what repeats as often as it has come by the row at ``step`` of the whole run.

    A run of ``step`` steps would be another: its repetitions lie closer together, and one is at its end.
    """
    phases = {name: _repeated(planned, timesteps, step) for name, planned in plan.phases.items()}
    return replace(plan, phases=phases)


def _repeated(planned: PhasePlan, timesteps: int, step: int) -> PhasePlan:
    repeats = planned.repeats
    if repeats is None:
        return planned
    whole = repeats.count(timesteps)
    gap = max(repeats.every, math.ceil(timesteps / repeats.times) if repeats.times else 0, repeats.stride)
    done = whole if step >= timesteps else min(whole, step // gap)
    return replace(planned, fixed=planned.fixed + repeats.units * done, repeats=None)
