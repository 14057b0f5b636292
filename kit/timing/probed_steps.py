"""The steps of a probe as they were taken: which count, how they split into parts, and what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from kit.errors import UsageError
from kit.timing.probe import OTHER, Part
from kit.timing.step_times import warm_up_steps

FEWEST_STEPS = 2
"""Fewer say nothing of how much steps differ."""


@dataclass
class ProbedStep:
    """One step: wall and CPU seconds by part, and what its caller said of it."""

    parts: dict[str, list[float]] = field(default_factory=dict)
    samples: float = 0.0
    loss: float | None = None
    optimiser_steps: int = 0

    def add(self, part: str, wall_s: float, cpu_s: float) -> None:
        """Credit a part with time."""
        account = self.parts.setdefault(part, [0.0, 0.0])
        account[0] += wall_s
        account[1] += cpu_s

    @property
    def wall_s(self) -> float:
        """Wall seconds, all parts together."""
        return math.fsum(wall_s for wall_s, _ in self.parts.values())

    @property
    def cpu_s(self) -> float:
        """CPU seconds, all parts together."""
        return math.fsum(cpu_s for _, cpu_s in self.parts.values())


def warm_up_of(steps: Sequence[ProbedStep], given: int | None) -> int:
    """Return how many steps count apart: ``given``, or as detected; in any case those before the first update."""
    first = next((number for number, step in enumerate(steps) if step.optimiser_steps), len(steps))
    if given is not None:
        return max(given, first)
    return first + warm_up_steps([step.wall_s for step in steps[first:]])


def require_measured(what: str, steps: Sequence[ProbedStep], warm_up: int, ended: str) -> None:
    """Raise UsageError where nothing can be said from these steps; ``ended`` says when the probe did, and why."""
    where = f"The probe of {what} measured nothing"
    if not steps:
        raise UsageError(f"{where}: it took no step. {ended}")
    if not any(step.optimiser_steps for step in steps):
        raise UsageError(
            f"{where}: its {len(steps)} steps contain no gradient step, so they say nothing of a run that learns. "
            f"{ended}"
        )
    if len(steps) - warm_up < FEWEST_STEPS:
        raise UsageError(
            f"{where}: of its {len(steps)} steps {min(warm_up, len(steps))} were warm-up, and at least "
            f"{FEWEST_STEPS} more are needed. {ended} Give it more steps or a longer limit_s."
        )
    losses = [step.loss for step in steps[warm_up:] if step.loss is not None]
    if losses and not any(map(math.isfinite, losses)):
        raise UsageError(
            f"{where}: the loss was {losses[0]} in every step from step {warm_up + 1} on, so it did not train."
        )


def parts_of(steps: Sequence[ProbedStep]) -> dict[str, Part]:
    """Return the parts by name in the order of their first use, ``other`` last; the steps took time."""
    number, wall_s = len(steps), math.fsum(step.wall_s for step in steps)
    names = dict.fromkeys(name for step in steps for name in step.parts)
    found = {}
    for name in [*(name for name in names if name != OTHER), OTHER]:
        accounts = [step.parts[name] for step in steps if name in step.parts]
        total_s, cpu_s = (math.fsum(account[index] for account in accounts) for index in (0, 1))
        idle_s = max(0.0, total_s - cpu_s)
        found[name] = Part(total_s / number, total_s / wall_s, cpu_s / number, idle_s / number)
    return found


def notes_of(steps: Sequence[ProbedStep]) -> list[str]:
    """Return what is odd in steps that count."""
    losses = [step.loss for step in steps if step.loss is not None]
    bad = sum(not math.isfinite(loss) for loss in losses)
    return [f"The loss was not finite in {bad} of {len(losses)} steps."] if bad else []
