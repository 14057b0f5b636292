"""What a probe measured: step times with their distribution, parts, memory, throughput; and what follows for a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kit.errors import UsageError
from kit.timing.operators import Operator

OTHER = "other"
"""The part that is the time of a step in none of the named ones."""


@dataclass(frozen=True)
class Part:
    """One part of a step, averaged over the measured steps.

    Attributes:
        mean_s: wall seconds of it in a step; nested parts are taken out of those around them.
        share: of the step's wall time; the shares of all parts add up to 1.
        cpu_s: CPU seconds of this process in it, all threads.
        idle_s: wall seconds in which no thread of this process ran, at least: it waited for a disk, a worker, a
            device, or for another program that had the processor. Several busy threads hide some of it.
    """

    mean_s: float
    share: float
    cpu_s: float
    idle_s: float


@dataclass(frozen=True)
class Probe:
    """The result of a probe; all but the warm-up's own fields are of the steps after warm-up.

    Attributes:
        what: what was probed, in words.
        unit: what one step is.
        steps: steps measured.
        warm_up_steps: steps before them, which count apart.
        warm_up_s: wall seconds of those.
        step_s: mean wall seconds a step.
        median_s, p5_s, p95_s: of the distribution of step times.
        cv: its coefficient of variation.
        times_s: the step times themselves, in order.
        samples: samples (environment steps) in the measured steps, each counted once however gradients accumulate;
            0 where nobody said.
        optimiser_steps: times that an optimiser stepped in the measured steps.
        parts: the parts of a step by name; ``other`` is the time in none of them.
        wall_s, cpu_s: wall seconds of the measured steps, and CPU seconds of this process in them.
        peak_bytes: the most resident memory of this process.
        device_peak_bytes: the most memory of a device; None where there is none. See DeviceMemory.
        device_peak_from: ``torch``, ``driver`` or ``absent``.
        device_used_bytes: the device's memory as its driver sees it, all processes; None where it cannot be asked.
        device: what computed: the name of the CUDA device that held most, or ``cpu``.
        machine: the kind of machine.
        date: the day (UTC), ISO 8601.
        notes: what a reader of the figures has to know.
        operators: the dearest operators, where they were asked for.
    """

    what: str
    unit: str
    steps: int
    warm_up_steps: int
    warm_up_s: float
    step_s: float
    median_s: float
    p5_s: float
    p95_s: float
    cv: float
    times_s: tuple[float, ...]
    samples: float
    optimiser_steps: int
    parts: Mapping[str, Part]
    wall_s: float
    cpu_s: float
    peak_bytes: int
    device_peak_bytes: int | None
    device_peak_from: str
    device_used_bytes: int | None
    device: str
    machine: str
    date: str
    notes: tuple[str, ...] = ()
    operators: tuple[Operator, ...] = ()

    @property
    def samples_per_s(self) -> float | None:
        """Samples (environment steps) a second of wall time; None where none were counted."""
        return self.samples / self.wall_s if self.samples else None

    @property
    def idle_s(self) -> float:
        """Wall seconds a step in which no thread of this process ran, at least; see Part."""
        return max(0.0, (self.wall_s - self.cpu_s) / self.steps)

    def project(self, steps: int) -> float:
        """Return the wall seconds that ``steps`` steps take: the warm-up once, then the mean.

        Means, not medians: slow steps are part of a run. Evaluation, checkpoints and start-up are not in it.

        Raises:
            UsageError: ``steps`` is less than 1.
        """
        if steps < 1:
            raise UsageError(f"steps must be at least 1, not {steps!r}.")
        if steps <= self.warm_up_steps:
            return self.warm_up_s * steps / self.warm_up_steps
        return self.warm_up_s + self.step_s * (steps - self.warm_up_steps)

    def project_samples(self, samples: float) -> float:
        """Return the wall seconds that so many samples (environment steps) take, in steps as large as those here.

        Raises:
            UsageError: ``samples`` is not more than 0, or the probe counted none.
        """
        if not self.samples:
            raise UsageError(
                f"The probe of {self.what} counted no samples: say step(samples=…), or use project()."
            )
        if samples <= 0:
            raise UsageError(f"samples must be more than 0, not {samples!r}.")
        more = samples * self.steps / self.samples - self.warm_up_steps
        if more <= 0:
            return self.warm_up_s * samples * self.steps / self.samples / self.warm_up_steps
        return self.warm_up_s + self.step_s * more

    def as_json(self, stage: str | None = None) -> dict[str, Any]:
        """Return it as plain values, for a file that ``budget --record`` reads; ``stage`` names the budget's stage."""
        named = {} if stage is None else {"stage": stage}
        measured = {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }
        measured |= {"samples_per_s": self.samples_per_s, "idle_s": self.idle_s}
        return named | measured
