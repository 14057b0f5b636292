"""Webster's formulae for a fixed-time signal (1958): delay under uniform arrivals, best cycle, splits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kit.errors import UsageError
from kit.traffic.controllers import FixedTime
from kit.traffic.network import Intersection

SHORTEST_S, LONGEST_S = 30.0, 120.0
"""Cycles are kept between these, as engineers do; near saturation the formula runs to infinity."""


def uniform_delay_s(cycle_s: float, green_s: float, flow_veh_s: float, saturation_veh_s: float) -> float:
    """Return the mean delay C(1 − λ)²/(2(1 − λx)) of uniform arrivals below capacity, s/veh.

    Args:
        cycle_s: cycle C.
        green_s: effective green, so that λ = green_s / cycle_s.
        flow_veh_s: arrivals q; the degree of saturation is x = q/(λs).
        saturation_veh_s: saturation flow s.

    Raises:
        UsageError: arrivals reach capacity, where the formula does not hold.
    """
    split = green_s / cycle_s
    if not 0 <= flow_veh_s < split * saturation_veh_s:
        raise UsageError(
            f"Flow {flow_veh_s:.4g} veh/s is not below capacity {split * saturation_veh_s:.4g} veh/s."
        )
    return cycle_s * (1 - split) ** 2 / (2 * (1 - flow_veh_s / saturation_veh_s))


def webster_durations_s(
    intersection: Intersection, flows_veh_h: Sequence[float] | np.ndarray
) -> tuple[int, ...]:
    """Return the duration of each phase, whole seconds, lost time included.

    The cycle is (1.5L + 5)/(1 − Y), kept between 30 and 120 s: L the lost time of a cycle, y_p the largest
    ratio of flow to saturation flow among the approaches of phase p, Y their sum. Effective green is split as
    y_p/Y.

    Args:
        intersection: gives phases, lost time and saturation flow.
        flows_veh_h: (4,) mean flow from N, E, S, W, veh/h.
    """
    ratios = np.asarray(flows_veh_h) / (intersection.saturation_veh_s * 3600)
    critical = np.array([max(ratios[a] for a in phase) for phase in intersection.phases])
    lost_s = intersection.lost_s * intersection.n_phases
    total = float(critical.sum())
    cycle_s = LONGEST_S if total >= 1 else (1.5 * lost_s + 5) / (1 - total)
    green_s = min(LONGEST_S, max(SHORTEST_S, cycle_s)) - lost_s
    splits = critical / total if total > 0 else np.full(len(critical), 1 / len(critical))
    shortest_s = intersection.lost_s + intersection.min_green_s
    return tuple(round(max(shortest_s, intersection.lost_s + green_s * split)) for split in splits)


def webster(intersection: Intersection, flows_veh_h: Sequence[float] | np.ndarray) -> FixedTime:
    """Return the timer that Webster's formulae give for these flows.

    It switches at whole seconds, off the decision grid that agents and other timers keep to: what an engineer
    would install, so the stronger baseline.
    """
    durations_s = webster_durations_s(intersection, flows_veh_h)
    name = "webster " + "/".join(str(d) for d in durations_s)
    return FixedTime(durations_s, name=name, interval_s=1.0)
