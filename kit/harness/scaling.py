"""Adaptive timesteps: estimates when the run will end and, if asked to, fits its total to the time there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kit.errors import UnknownNameError, UsageError

ON_PRESSURE = ("report", "reduce", "tiers")
TIERS = (24_000, 15_000, 10_000)
"""The step counts of the Kaggle timing analysis: full, slower than expected, very slow."""
KNOWN_FROM = 0.05
"""The share of the steps, or of the limit, after which the pace decides anything: before, it is noise."""
REGROW_FROM = 0.02
"""The share of the request that must have become free before a reduced total grows again."""
REPEATED_CUT = 0.01
"""What a second reduction in a row takes off beyond need, as a share of the rest, so that few are enough."""


FINELY = 1_000
"""The parts of the request to which the most steps that fit are found, where that takes trying."""


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

    The pace is wall time per environment step since the first boundary of the session, so evaluation, checkpoints
    and exports are part of it in the share that they have; ``reserve_s`` is what comes after the last step
    (evaluation on test seeds, finalisation). Where ``remaining`` is handed in and knows, it goes by that instead:
    seconds from a step to the end of a run of so many steps. Either way the run should end ``margin_s`` before the
    deadline. Steps are environment steps summed over parallel environments. With
    ``on_pressure="reduce"`` the total becomes the most that fits, with ``"tiers"`` the largest of ``tiers`` that
    does, once the pace is known; where it turns out better, the total grows again, up to the request and as long as
    the end is not near. With ``"report"`` it stays.
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
        self.margin_s = 0.0
        self.remaining: Callable[[int, int], float | None] | None = None
        self.n_envs = n_envs
        self.scalings: list[Scaling] = []
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] = (0, 0.0)

    def observe(self, step: int, elapsed_s: float) -> Scaling | None:
        """Take note of the pace; return the change if the total was changed because of it."""
        if self._first is None:
            self._first = self._last = (step, elapsed_s)
        elif step > self._last[0]:
            self._last = (step, elapsed_s)
        if self.on_pressure == "report" or not self._pace_known():
            return None
        if self.under_pressure(step, elapsed_s):
            return self._shrink(step, elapsed_s)
        return self._grow(step, elapsed_s) if self.total_timesteps < self.requested_timesteps else None

    def _pace_known(self) -> bool:
        """Whether the pace was seen over enough of the steps, or of the time, to decide by it."""
        if self._first is None:
            return False
        (first, began), (last, now) = self._first, self._last
        steps, seconds = self.requested_timesteps - first, self.soft_limit_s - began
        return last - first >= KNOWN_FROM * steps or now - began >= KNOWN_FROM * seconds

    @property
    def step_s(self) -> float | None:
        """Seconds for one environment step since the session's first boundary, or None before the second."""
        if self._first is None or self._last[0] == self._first[0]:
            return None
        (first, began), (last, now) = self._first, self._last
        return (now - began) / (last - first)

    def predicted_end_s(self, step: int, elapsed_s: float) -> float | None:
        """When the whole run will have ended, in seconds of the session; None while the pace is unknown."""
        return self._end_s(step, elapsed_s, self.total_timesteps)

    def _end_s(self, step: int, elapsed_s: float, total: int) -> float | None:
        ahead_s = self.remaining(step, total) if self.remaining is not None else None
        if ahead_s is not None:
            return elapsed_s + ahead_s
        pace = self.step_s
        return None if pace is None else elapsed_s + max(0, total - step) * pace + self.reserve_s

    @property
    def _latest_s(self) -> float:
        return self.soft_limit_s - self.margin_s

    def under_pressure(self, step: int, elapsed_s: float) -> bool:
        """Whether the run would end after the soft deadline at its present pace."""
        end = self.predicted_end_s(step, elapsed_s)
        return end is not None and end > self._latest_s

    def _fitting(self, step: int, elapsed_s: float) -> int:
        """Return the most steps in all that end by the soft limit, less the margin, as far as is known by now."""
        if self.remaining is None or self.remaining(step, self.requested_timesteps) is None:
            ahead = LinearCost(elapsed_s + self.reserve_s, self.step_s or 0.0)
            return step + ahead.largest_that_fits(self._latest_s)
        low, high = (
            step,
            step + 2 * self.requested_timesteps,
        )  # more than asked for, so that room shows as such
        close = max(1, self.requested_timesteps // FINELY)
        while high - low > close:
            middle = (low + high) // 2
            end_s = self._end_s(step, elapsed_s, middle)
            low, high = (middle, high) if end_s is None or end_s <= self._latest_s else (low, middle)
        return low

    def _legal(self, fitting: int) -> int:
        """Return the largest total that may be chosen among those that fit."""
        if fitting >= self.requested_timesteps:
            return self.requested_timesteps
        if self.on_pressure == "tiers":
            return max((tier for tier in self.tiers if tier <= fitting), default=min(self.tiers))
        return fitting - fitting % self.n_envs

    def _shrink(self, step: int, elapsed_s: float) -> Scaling | None:
        fitting = self._fitting(step, elapsed_s)
        if self.scalings and self.scalings[-1].after < self.scalings[-1].before:
            fitting -= math.ceil(REPEATED_CUT * (fitting - step))
        after = max(step, min(self._legal(fitting), self.total_timesteps))
        return self._change(step, elapsed_s, after) if after < self.total_timesteps else None

    def _grow(self, step: int, elapsed_s: float) -> Scaling | None:
        margin = math.ceil(REGROW_FROM * self.requested_timesteps)
        if self.total_timesteps - step < margin:  # the end is near: what was announced holds
            return None
        after = self._legal(self._fitting(step, elapsed_s) - margin)
        enough = after - self.total_timesteps >= margin or after == self.requested_timesteps
        grows = enough and after > self.total_timesteps
        return self._change(step, elapsed_s, after) if grows else None

    def _change(self, step: int, elapsed_s: float, after: int) -> Scaling:
        predicted = self.predicted_end_s(step, elapsed_s) or 0.0
        change = Scaling(step, elapsed_s, predicted, self.soft_limit_s, self.total_timesteps, after)
        self.total_timesteps = after
        self.scalings.append(change)
        return change
