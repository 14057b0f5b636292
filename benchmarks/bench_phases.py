"""What the phase timer costs: a switch on the hot path, and a phase nested in another; at most 2 µs each.

CPU time of this process, a median of several repeats. A switch stands for half of a turn from rollout to update and
back; a nested phase is entered and left. Beside it what reading the CPU clock at every switch would cost.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from kit.harness.clock import SYSTEM_CLOCK
from kit.timing.phases import PhaseTimer

TURNS = 20_000
REPEATS = 7
BAR_NS = 2_000.0


def main() -> list[dict[str, Any]]:
    """Time both, print them, and return a row for each."""
    rows = [
        _row("phase timer, a switch", _cost_ns(_switches), f"bar: {BAR_NS:,.0f} ns"),
        _row("phase timer, a nested phase", _cost_ns(_nested), f"bar: {BAR_NS:,.0f} ns"),
    ]
    asked_ns = _cost_ns(_cpu_clock)
    print(f"reading the CPU clock twice, which one visit of a phase in 32 does: {asked_ns:,.0f} ns")
    return rows


def _row(name: str, value_ns: float, against: str) -> dict[str, Any]:
    print(f"{name}: {value_ns:,.0f} ns; {against}")
    return {"name": name, "value": value_ns, "unit": "ns", "against": against, "ratio": value_ns / BAR_NS}


def _cost_ns(work: Callable[[PhaseTimer], None]) -> float:
    """Return the CPU nanoseconds of one of the TURNS turns of ``work``, the median of the repeats."""
    costs = []
    for _ in range(REPEATS):
        timer = PhaseTimer(SYSTEM_CLOCK, "rollout")
        began = time.process_time_ns()
        work(timer)
        costs.append((time.process_time_ns() - began) / TURNS)
    return statistics.median(costs)


def _switches(timer: PhaseTimer) -> None:
    switch = timer.switch
    for _ in range(TURNS // 2):
        switch("update")
        switch("rollout")


def _nested(timer: PhaseTimer) -> None:
    for _ in range(TURNS):
        with timer.phase("evaluate"):
            pass


def _cpu_clock(_timer: PhaseTimer) -> None:
    read = SYSTEM_CLOCK.cpu
    for _ in range(TURNS):
        read()
        read()


if __name__ == "__main__":
    main()
