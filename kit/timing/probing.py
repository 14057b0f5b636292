"""Probing: a stopwatch for the steps of a loop of one's own, which says what a step costs and where its time goes."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from kit.errors import UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.platform import machine
from kit.harness.provenance import machine_kind
from kit.timing.device import Device
from kit.timing.probe import OTHER, Probe
from kit.timing.probed_steps import ProbedStep, notes_of, parts_of, require_measured, warm_up_of
from kit.timing.process_peak import ProcessPeak
from kit.timing.step_times import StepTimes

STEPS = 100
LIMIT_S = 60.0


class Probing:
    """Times ``steps`` steps of a loop, or as many as begin before ``limit_s`` has passed.

    Use it like this::

        with Probing("my loop") as probing:
            while probing.going:
                with probing.part("loader"):
                    batch = next(batches)
                with probing.part("compute"):
                    loss = train_on(batch)
                probing.step(samples=len(batch), loss=loss)
        probe = probing.result()

    Every instant of a step is in exactly one part: the innermost that is open, or ``other``. At the border of each
    part the CUDA devices in use are waited for, so that their work counts where it was asked for; what a loop would
    overlap without that (the next batch with the last kernels) does not overlap in a probe.

    Args:
        what: what is probed, for messages.
        steps: steps to take, warm-up included.
        limit_s: wall seconds after which no further step begins; a step that runs is not interrupted.
        warm_up: leading steps that count apart; None: they are detected (see ``warm_up_steps``).
        unit: what a step is.
        clock: where the time comes from.

    Raises:
        UsageError: a value that no probe can be made with.
    """

    def __init__(
        self,
        what: str = "a loop",
        *,
        steps: int = STEPS,
        limit_s: float = LIMIT_S,
        warm_up: int | None = None,
        unit: str = "step",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if steps < 1:
            raise UsageError(f"steps must be at least 1, not {steps!r}.")
        if not 0 < limit_s < math.inf:
            raise UsageError(f"limit_s must be seconds, more than 0 and finite, not {limit_s!r}.")
        if warm_up is not None and not 0 <= warm_up < steps:
            raise UsageError(f"warm_up must be from 0 to {steps - 1} for {steps} steps, not {warm_up!r}.")
        self.what, self.unit, self.wanted, self.limit_s, self.clock = what, unit, steps, limit_s, clock
        self.notes: list[str] = []
        self._warm_up = warm_up
        self._taken: list[ProbedStep] = []
        self._step = ProbedStep()
        self._open: list[str] = []
        self._raised_in: str | None = None
        self._began: float | None = None
        self._ended_s: float | None = None

    def __enter__(self) -> Probing:
        if self._began is not None:
            raise UsageError(f"The probe of {self.what} was begun before: make another Probing.")
        self._device = Device()
        self._peak = ProcessPeak()
        self._device.synchronise()
        self._began = self._since = self.clock.monotonic()
        self._cpu_since = self.clock.cpu()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ended_s = self._elapsed_s()
        if value is not None:
            part = self._raised_in or next(reversed(self._open), None)
            where = f", in part {part!r}" if part else ""
            value.add_note(f"Raised in step {len(self._taken) + 1} of the probe of {self.what}{where}.")

    @property
    def going(self) -> bool:
        """Whether there is another step to take."""
        return len(self._taken) < self.wanted and not self.over

    @property
    def over(self) -> bool:
        """Whether the limit has passed."""
        return self._elapsed_s() >= self.limit_s

    def _elapsed_s(self) -> float:
        return self.clock.monotonic() - self._require_begun()

    def _require_begun(self) -> float:
        if self._began is None:
            raise UsageError(f"The probe of {self.what} has not begun: use it in a with statement.")
        return self._began

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Credit ``name`` with the time inside the block, but for parts nested in it."""
        self.enter(name)
        try:
            yield
        except BaseException:
            self._raised_in = self._raised_in or name
            raise
        finally:
            self.leave()

    def enter(self, name: str) -> None:
        """Begin a part, where a ``with`` block cannot; ``leave`` ends it."""
        self._credit()
        self._open.append(name)

    def leave(self) -> None:
        """End the innermost part. Raises UsageError where none is open."""
        if not self._open:
            raise UsageError("leave() was called where no part is open.")
        self._credit()
        self._open.pop()

    def step(self, *, samples: float = 0.0, loss: float | None = None, optimiser_steps: int = 1) -> bool:
        """End a step; returns whether to take another.

        Args:
            samples: samples (environment steps) in it, each once.
            loss: its loss, so that a probe which trained nothing but NaN is told from one that trained.
            optimiser_steps: times that an optimiser stepped in it; steps before the first of them are warm-up.

        Raises:
            UsageError: a part is open.
        """
        if self._open:
            raise UsageError(
                f"step() was called inside the part {self._open[-1]!r}: a step ends outside of its parts."
            )
        self._credit()
        step, self._step, self._raised_in = self._step, ProbedStep(), None
        step.samples, step.loss, step.optimiser_steps = samples, loss, optimiser_steps
        self._taken.append(step)
        return self.going

    def _credit(self) -> None:
        """Credit the part that is open with the time since the last border; the probe's own looks are in none."""
        self._require_begun()
        self._device.synchronise()
        now, cpu = self.clock.monotonic(), self.clock.cpu()
        self._step.add(self._open[-1] if self._open else OTHER, now - self._since, cpu - self._cpu_since)
        if self._peak.due(now):
            self._peak.look(now)
            now, cpu = self.clock.monotonic(), self.clock.cpu()
        self._since, self._cpu_since = now, cpu

    def result(self) -> Probe:
        """Return what was measured.

        Raises:
            UsageError: there is nothing to tell: no step, none that updates weights, fewer than two after warm-up,
                or a loss that was never finite.
        """
        steps, warm_up = self._taken, warm_up_of(self._taken, self._warm_up)
        require_measured(self.what, steps, warm_up, self._how_it_ended())
        measured = steps[warm_up:]
        times_s = tuple(step.wall_s for step in measured)
        times, memory = StepTimes.of(times_s), self._device.memory()
        return Probe(
            what=self.what,
            unit=self.unit,
            steps=len(measured),
            warm_up_steps=warm_up,
            warm_up_s=math.fsum(step.wall_s for step in steps[:warm_up]),
            step_s=times.mean_s,
            median_s=times.median_s,
            p5_s=times.p5_s,
            p95_s=times.p95_s,
            cv=times.cv,
            times_s=times_s,
            samples=math.fsum(step.samples for step in measured),
            optimiser_steps=sum(step.optimiser_steps for step in measured),
            parts=parts_of(measured),
            wall_s=math.fsum(times_s),
            cpu_s=math.fsum(step.cpu_s for step in measured),
            peak_bytes=self._peak.peak_bytes(),
            device_peak_bytes=memory.peak_bytes,
            device_peak_from=memory.peak_from,
            device_used_bytes=memory.used_bytes,
            device=self._device.computing(),
            machine=machine_kind(int(machine().get("cores") or 1), self._device.name()),
            date=datetime.datetime.fromtimestamp(self.clock.wall(), datetime.UTC).date().isoformat(),
            notes=(*self.notes, *notes_of(measured)),
        )

    def _how_it_ended(self) -> str:
        took_s = self._elapsed_s() if self._ended_s is None else self._ended_s
        limit = f"its limit of {self.limit_s:g} s had passed" if took_s >= self.limit_s else "its loop ended"
        return f"It ended after {took_s:.3g} s, since {limit}."
