"""Findings: everything that the facts of all workloads say about the forecasts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.forecast.held_out import Held, coverage, held_ahead, held_runs, held_windows, median_width
from benchmarks.forecast.outcome import Outcome
from benchmarks.forecast.windows import Window, windows

QUICK_AIM, ERROR_AIM, CPU_AIM, WIDTH_AIM = 0.05, 0.07, 0.20, 1.6
COVERAGE_AIM, COVERAGE_GIVE = 0.90, 0.07
WORKLOADS_AIM = 12


@dataclass(frozen=True)
class Figure:
    """One figure over all workloads: ``aim`` says what was asked of it, ``met`` whether it is, None without an aim.

    ``ratio`` is the value over the aim, or over what ``against`` names.
    """

    name: str
    value: float
    unit: str
    against: str
    ratio: float | None = None
    met: bool | None = None


@dataclass(frozen=True)
class Findings:
    """Outcomes in the order of the table, with what they are held against.

    Attributes:
        outcomes: one a workload.
        runs: the whole run of each, held out.
        windows: the slices of each run that count.
        held: those, held out.
        no_time: slices that were forecast to take no time, or took none; they are in no other figure.
        ahead: what was still to come when runs forecast again, held out, by share of the steps done.
    """

    outcomes: tuple[Outcome, ...]
    runs: dict[str, Held]
    windows: dict[str, list[Window]]
    held: dict[str, list[Held]]
    no_time: int
    ahead: dict[float, list[Held]]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Findings:
        """Work them out; ``outcomes`` are two at least, since each is held against the others."""
        cut = {one.name: windows(one.measured, one.timesteps, one.rows) for one in outcomes}
        counting = {name: [window for window in slices if window.counts] for name, slices in cut.items()}
        return cls(
            outcomes=tuple(outcomes),
            runs=held_runs(outcomes),
            windows=counting,
            held=held_windows(counting),
            no_time=sum(not window.counts for slices in cut.values() for window in slices),
            ahead=held_ahead(outcomes),
        )

    def figures(self) -> list[Figure]:
        """Return the figures over all workloads, those that something was asked of first."""
        return [*self._asked(), *self._beside(), *self._under_way()]

    def _asked(self) -> list[Figure]:
        quick = max(self.outcomes, key=lambda one: one.quick_steps)
        cpu = max(self.outcomes, key=lambda one: abs(one.cpu_error))
        median = statistics.median(abs(one.error) for one in self.outcomes)
        slices = [one for held in self.held.values() for one in held]
        inside, width = coverage(slices), median_width(slices)
        number = len(self.outcomes)
        within = abs(inside - COVERAGE_AIM) <= COVERAGE_GIVE
        return [
            Figure("workloads", number, "workloads", f"at least {WORKLOADS_AIM}", None, number >= WORKLOADS_AIM),
            _at_most("steps of a quick test, largest", quick.quick_steps, QUICK_AIM, f"of the run ({quick.name})"),
            _at_most("error, median", median, ERROR_AIM, "either way"),
            _at_most("CPU error, worst", abs(cpu.cpu_error), CPU_AIM, f"either way ({cpu.name})"),
            Figure(
                "windows inside, of other workloads' interval",
                100 * inside,
                "%",
                f"{100 * COVERAGE_AIM:.0f} ± {100 * COVERAGE_GIVE:.0f} %, of {len(slices)} windows",
                inside / COVERAGE_AIM,
                within,
            ),
            Figure(
                "windows, median high / low", width, "×", f"at most {WIDTH_AIM}", width / WIDTH_AIM, width <= WIDTH_AIM
            ),
        ]  # fmt: skip

    def _beside(self) -> list[Figure]:
        runs = list(self.runs.values())
        worst = max(self.outcomes, key=lambda one: abs(one.error))
        least = min(
            (name for name in self.held if self.held[name]), key=lambda name: coverage(self.held[name])
        )
        wall = max(self.outcomes, key=lambda one: one.quick_time)
        told = {f"{one.name} {phase}": one.drifted(phase) for one in self.outcomes for phase in one.drifting}
        hundred, naive = self._rivals("hundred_s"), self._rivals("naive_s")
        cpu = statistics.median(abs(one.cpu_error) for one in self.outcomes)
        return [
            _percent("time of a quick test, largest", wall.quick_time, f"of the run ({wall.name})"),
            _percent("error, worst", abs(worst.error), worst.name),
            _percent("CPU error, median", cpu, "either way"),
            _percent("100 steps: error, median", statistics.median(hundred), "the hundred-step method"),
            _percent("100 steps: error, worst", max(hundred), "either way"),
            _percent("naive: error, median", statistics.median(naive), "set-up and end, and the mean pace of all else"),
            _percent("naive: error, worst", max(naive), "either way"),
            _percent("runs inside, of other workloads' interval", coverage(runs), f"{len(runs)} runs"),
            Figure("runs, median high / low", median_width(runs), "×", "where drift is told it is in them"),
            _percent("windows inside, worst workload", coverage(self.held[least]), least),
            Figure("windows without a time", self.no_time, "windows", "left out: their ratio says nothing"),
            Figure("drift told", len(told), "phases", ", ".join(told) or "in no quick test"),
            Figure("drift told, and the run went that way", sum(told.values()), "phases", f"of {len(told)}"),
        ]  # fmt: skip

    def _rivals(self, name: str) -> list[float]:
        return [abs(one.pair.actual_s / getattr(one, name) - 1.0) for one in self.outcomes]

    def _under_way(self) -> list[Figure]:
        found = []
        for share, held in self.ahead.items():
            median = statistics.median(abs(one.error) for one in held)
            done = f"after {100 * share:.0f} % of the steps, what is left"
            found.append(_percent(f"{done}: error, median", median, f"{len(held)} runs"))
            found.append(_percent(f"{done}: inside", coverage(held), "other workloads' interval"))
        return found


def _at_most(name: str, value: float, aim: float, of: str) -> Figure:
    return Figure(name, 100 * value, "%", f"at most {100 * aim:.0f} %, {of}", value / aim, value <= aim)


def _percent(name: str, value: float, against: str) -> Figure:
    return Figure(name, 100 * value, "%", against)
