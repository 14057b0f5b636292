"""What a learned policy is compared with in SUMO: the net's own program, the best timer, and Webster's.

The search tries timers on the grid of decisions: each phase is shown for whole intervals of 15 s, the
yellow that opens it included. A phase may get none: in such a plan its turns wait for gaps in the other
phases.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kit.errors import UsageError
from kit.traffic.sumo_episode import INTERVAL_S, EpisodeSpec, demand_of
from kit.traffic.sumo_network import SumoNetwork
from kit.traffic.sumo_process import EpisodeProcess
from kit.traffic.view import SignalView

SATURATION_VEH_H = 1800.0  # of one lane, for Webster
LONGEST_CYCLE_S = 120.0
SHORTEST_GREEN_S = 5
_MAJOR_S = (15, 30, 45, 60)  # what the search tries for phases that the net's own program gives 15 s or more
_MINOR_S = (0, 15)  # and for the others
_WORTH_A_SECOND_DAY = 1.1  # the search drops a plan whose delay on the first day exceeds this times the best


class SignalProgram:
    """The net's program with these greens, at whole seconds and off the grid of decisions; SUMO runs it.

    Args:
        name: how results call it.
        green_s: one green for each phase, s, without its yellow.
    """

    def __init__(self, name: str, green_s: Sequence[float]) -> None:
        self.name, self.green_s = name, tuple(green_s)

    def reset(self) -> None:
        """Nothing to forget."""

    def act(self, observation: np.ndarray, view: SignalView) -> int:  # noqa: ARG002
        """It decides nothing; ``SumoScenario.run_episodes`` leaves the signal to SUMO."""
        raise UsageError(f"{self.name!r} runs inside SUMO; use SumoScenario.run_episodes.")


class PhasePlan:
    """A timer on the grid of decisions: phase p for ``intervals[p]`` intervals of 15 s, over and over.

    Args:
        intervals: one number per phase, 0 to leave it out; at least one is positive.
        name: how results call it; the seconds are appended.
    """

    def __init__(self, intervals: Sequence[int], name: str = "fixed") -> None:
        if min(intervals) < 0 or not any(intervals):
            raise UsageError(
                f"A plan takes at least one positive number of intervals, not {tuple(intervals)}."
            )
        self.intervals = tuple(intervals)
        self.name = f"{name} {'/'.join(str(INTERVAL_S * k) for k in self.intervals)}"
        self._cycle = tuple(phase for phase, k in enumerate(self.intervals) for _ in range(k))

    def reset(self) -> None:
        """Nothing to forget: the phase follows from the time."""

    def act(self, observation: np.ndarray, view: SignalView) -> int:  # noqa: ARG002
        """Return the phase that the plan shows at ``view.time_s``."""
        return self._cycle[round(view.time_s / INTERVAL_S) % len(self._cycle)]

    def actions(self, decisions: int) -> list[int]:
        """Return the phases of the first ``decisions`` decisions."""
        return [self._cycle[k % len(self._cycle)] for k in range(decisions)]


def best_plan(network: SumoNetwork, spec: EpisodeSpec, seeds: Sequence[int]) -> PhasePlan:
    """Return the plan with the least delay over the days ``seeds``.

    Tried are all plans whose phases take 15 to 60 s where the net's own program gives them 15 s or more, 0
    or 15 s where it gives less. Every plan plays the first day; those within 10 % of the best play the
    others too. A plan is dropped in mid-day when its delay, which only grows, is out of the race: that
    saves time and changes no result.
    """
    choices = [_MAJOR_S if green_s >= INTERVAL_S else _MINOR_S for green_s in network.native_green_s]
    plans = [PhasePlan([s // INTERVAL_S for s in seconds]) for seconds in itertools.product(*choices)]
    plans.sort(
        key=lambda plan: abs(sum(plan.intervals) * INTERVAL_S - 75)
    )  # likely ones first: they set the bar
    first = _race(plans, replace(spec, seed=seeds[0]), slack=_WORTH_A_SECOND_DAY)
    contest = [plan for plan in plans if first[plan] <= min(first.values()) * _WORTH_A_SECOND_DAY]
    totals = {plan: first[plan] for plan in contest}
    for seed in seeds[1:]:
        day = _race(contest, replace(spec, seed=seed), slack=float("inf"))
        totals = {plan: totals[plan] + day[plan] for plan in contest}
    return PhasePlan(min(contest, key=lambda plan: totals[plan]).intervals, "best fixed")


def _race(plans: Sequence[PhasePlan], spec: EpisodeSpec, slack: float) -> dict[PhasePlan, float]:
    """Return each plan's delay on one day, vehicle-seconds; infinite above ``slack`` times the best."""
    delays_s: dict[PhasePlan, float] = {}
    waiting, running = list(reversed(plans)), dict[PhasePlan, EpisodeProcess]()
    best_s = float("inf")
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            plan = waiting.pop()
            running[plan] = EpisodeProcess(spec)
            running[plan].send("run", plan.actions(spec.horizon_decisions), best_s * slack)
        plan = next(iter(running))
        process = running.pop(plan)
        last = process.receive()[-1]
        process.close()
        finished = last.decision == spec.horizon_decisions
        delays_s[plan] = last.total_delay_s if finished else float("inf")
        best_s = min(best_s, delays_s[plan])
    return delays_s


def webster_program(network: SumoNetwork, spec: EpisodeSpec, seeds: Sequence[int]) -> SignalProgram:
    """Return Webster's timing (1958) of the net's phases for the mean flows of the days ``seeds``.

    Cycle (1.5 L + 5) / (1 − Y), at most 120 s; greens in proportion to y_p, the largest ratio of flow to
    saturation (1,800 veh/h a lane) among the approaches with the right of way in phase p. A movement with
    the right of way in several phases counts in the longest of them in the net's own program. A lane that
    also serves turns of another phase is left to those, unless there is no other: vehicles that wait for
    their turn block it. The lost time L is one yellow for each phase. Greens are whole seconds, at least
    5. It switches off the grid of decisions: what an engineer would install, so the stronger baseline.
    """
    hours = len(seeds) * (spec.end_s - spec.begin_s) / 3600
    flows: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        flows.update(_movements(network, demand_of(replace(spec, seed=seed)).flows()))
    ratios = _ratios(network, {move: count / hours for move, count in flows.items()})
    lost_s, y = network.yellow_s * network.n_phases, sum(ratios)
    cycle_s = LONGEST_CYCLE_S if y >= 1 else min(LONGEST_CYCLE_S, (1.5 * lost_s + 5) / (1 - y))
    shares = [ratio / y if y else 1 / len(ratios) for ratio in ratios]
    greens_s = [max(SHORTEST_GREEN_S, round((cycle_s - lost_s) * share)) for share in shares]
    return SignalProgram("webster " + "/".join(str(g) for g in greens_s), greens_s)


def _movements(network: SumoNetwork, trips: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Turn trips between edges into movements from approach to exit; those that do not cross are left out."""
    before = {
        s.lane.rpartition("_")[0]: network.lanes_in[s.slot].rpartition("_")[0] for s in network.upstream
    }
    after = {
        s.lane.rpartition("_")[0]: network.lanes_out[s.slot].rpartition("_")[0] for s in network.downstream
    }
    moves: Counter[tuple[str, str]] = Counter()
    for (origin, destination), count in trips.items():
        if origin in before and destination in after:
            moves[before[origin], after[destination]] += count
    return moves


def _ratios(network: SumoNetwork, flows_veh_h: dict[tuple[str, str], float]) -> list[float]:
    """Return y_p of each phase."""
    own = {link.index: _own_phase(network, link.index) for link in network.links}
    ratios = [0.0] * network.n_phases
    for phase in range(network.n_phases):
        for approach in network.approaches:
            links = [n for n in network.links if n.edge_in == approach and own[n.index] == phase]
            moves = {(n.edge_in, n.edge_out) for n in links}
            lanes = {n.lane_in for n in links}
            shared = {n.lane_in for n in network.links if n.lane_in in lanes and own[n.index] != phase}
            flow_veh_h = sum(flows_veh_h.get(move, 0.0) for move in moves)
            capacity_veh_h = SATURATION_VEH_H * max(1, len(lanes - shared))
            ratios[phase] = max(ratios[phase], flow_veh_h / capacity_veh_h)
    return ratios


def _own_phase(network: SumoNetwork, link: int) -> int | None:
    """Return the longest phase in which a link has the right of way; with yielding, where there is none."""
    for signs in ("G", "g"):
        phases = [p for p in range(network.n_phases) if network.green_states[p][link] in signs]
        if phases:
            return max(phases, key=lambda p: network.native_green_s[p])
    return None
