"""Adaptive timesteps: estimates when the run will end and, if asked to, shrinks it so that it ends in time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from kit.errors import UnknownNameError, UsageError

ON_PRESSURE = ("report", "reduce", "tiers")
TIERS = (24_000, 15_000, 10_000)
"""The step counts of the Kaggle timing analysis: full, slower than expected, very slow."""


@dataclass(frozen=True)
class LinearCost:
    """The simplest model of a run: ``overhead_s`` once, then ``step_s`` for every environment step, in seconds."""

    overhead_s: float
    step_s: float

    def __post_init__(self) -> None:
        for name, value in (("overhead_s", self.overhead_s), ("step_s", self.step_s)):
            if not value >= 0:
                raise UsageError(f"{name} must be zero or more seconds, not {value!r}.")

    def predicted_s(self, timesteps: int) -> float:
        """Seconds that a run of ``timesteps`` takes: overhead + timesteps · step_s."""
        return self.overhead_s + timesteps * self.step_s

    def safety_factor(self, timesteps: int, limit_s: float) -> float:
        """How many times the run fits into the limit: limit ÷ predicted."""
        return limit_s / self.predicted_s(timesteps)

    def largest_that_fits(self, limit_s: float) -> int:
        """The most steps that end by the limit (0 when the overhead alone does not)."""
        if self.step_s == 0:
            return 2**62 if self.overhead_s <= limit_s else 0
        return max(0, math.floor((limit_s - self.overhead_s) / self.step_s + 1e-9))

    def tier(self, limit_s: float, tiers: Sequence[int] = TIERS) -> int:
        """The largest tier that fits; the smallest when none does. The slower the machine, the fewer steps."""
        fitting = [steps for steps in tiers if self.predicted_s(steps) <= limit_s]
        return max(fitting) if fitting else min(tiers)


@dataclass(frozen=True)
class Scaling:
    """One change of the total, as it is recorded: at ``step``, after ``elapsed_s`` of the session."""

    step: int
    elapsed_s: float
    predicted_s: float
    limit_s: float
    before: int
    after: int


class TimestepScaler:
    """Watches the pace of a run and plans its end, in environment steps and seconds of the session.

    The pace is wall time per environment step between two boundaries, so evaluation, checkpoints and exports
    between them are part of it; ``reserve_s`` is what comes after the last step (evaluation on test seeds,
    finalisation). Steps are environment steps summed over parallel environments. With ``on_pressure="reduce"``
    the total becomes the most that fits, with ``"tiers"`` the largest of ``tiers`` that does; with ``"report"``
    it stays.
    """

    def __init__(
        self,
        total_timesteps: int,
        soft_limit_s: float,
        *,
        on_pressure: str = "report",
        tiers: Sequence[int] = TIERS,
        reserve_s: float = 0.0,
        n_envs: int = 1,
    ) -> None:
        if on_pressure not in ON_PRESSURE:
            raise UnknownNameError("on_pressure", on_pressure, ON_PRESSURE)
        if total_timesteps < 1:
            raise UsageError(f"total_timesteps must be at least 1, not {total_timesteps}.")
        self.requested_timesteps = total_timesteps
        self.total_timesteps = total_timesteps
        self.soft_limit_s = soft_limit_s
        self.on_pressure = on_pressure
        self.tiers = tuple(tiers)
        self.reserve_s = reserve_s
        self.n_envs = n_envs
        self.scalings: list[Scaling] = []
        self._seen: deque[tuple[int, float]] = deque(maxlen=64)

    def observe(self, step: int, elapsed_s: float) -> Scaling | None:
        """Take note of the pace; return the change if the total was shrunk because of it."""
        if not self._seen or step > self._seen[-1][0]:
            self._seen.append((step, elapsed_s))
        if self.on_pressure == "report" or not self.under_pressure(step, elapsed_s):
            return None
        return self._shrink(step, elapsed_s)

    @property
    def step_s(self) -> float | None:
        """Seconds for one environment step over the window that is remembered, or None before two boundaries."""
        if len(self._seen) < 2:
            return None
        (first, began), (last, now) = self._seen[0], self._seen[-1]
        return (now - began) / (last - first)

    def predicted_end_s(self, step: int, elapsed_s: float) -> float | None:
        """When the whole run will have ended, in seconds of the session; None while the pace is unknown."""
        pace = self.step_s
        if pace is None:
            return None
        return elapsed_s + max(0, self.total_timesteps - step) * pace + self.reserve_s

    def under_pressure(self, step: int, elapsed_s: float) -> bool:
        """Whether the run would end after the soft deadline at its present pace."""
        end = self.predicted_end_s(step, elapsed_s)
        return end is not None and end > self.soft_limit_s

    def _shrink(self, step: int, elapsed_s: float) -> Scaling | None:
        pace = self.step_s
        predicted = self.predicted_end_s(step, elapsed_s)
        if pace is None or predicted is None:
            return None
        ahead = LinearCost(elapsed_s + self.reserve_s, pace)
        fitting = step + ahead.largest_that_fits(self.soft_limit_s)
        if self.on_pressure == "tiers":
            tiers = [tier for tier in self.tiers if tier <= fitting]
            wanted = max(tiers) if tiers else min(self.tiers)
        else:
            wanted = fitting - fitting % self.n_envs
        after = max(step, min(wanted, self.total_timesteps))
        if after >= self.total_timesteps:
            return None
        change = Scaling(step, elapsed_s, predicted, self.soft_limit_s, self.total_timesteps, after)
        self.total_timesteps = after
        self.scalings.append(change)
        return change
