"""The options beside each other: the full run at once, a reduced one, or the full one split over sessions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

MOST_STEPS = 10**12
"""More steps than any run has: what takes no time a step has no largest number of them."""


def largest_that_fits(
    takes_s: Callable[[int], float], limit_s: float, at_most: int = MOST_STEPS
) -> int | None:
    """Return the most steps, up to ``at_most``, that end by the limit: 0 when not even one does.

    ``takes_s`` gives the seconds of a run of so many steps and must not fall. None: they all do, at MOST_STEPS even.
    """
    low, high = 0, 1
    while high < at_most and takes_s(high) <= limit_s:
        low, high = high, min(2 * high, at_most)
    if takes_s(high) <= limit_s:
        return None if high == MOST_STEPS else high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if takes_s(middle) <= limit_s else (low, middle)
    return low


def side_by_side(
    timesteps: int,
    reduced: int,
    predicted_s: Callable[[int], float],
    each_s: float,
    longest_s: float,
) -> list[dict[str, Any]]:
    """Return A, the full run in one session; B, ``reduced`` steps in one; C, the full run split over sessions.

    Every session takes ``each_s`` seconds beside its share of the work and should be forecast to take ``longest_s`` at
    most. What cannot be split, the tests after training among it, must fit into one session; else C never ends: it
    has 0 sessions and takes None. ``session_s`` is what each session takes.
    """
    total_s = predicted_s(timesteps)
    possible = each_s < longest_s and predicted_s(1) <= longest_s
    sessions = max(2, math.ceil((total_s - each_s) / (longest_s - each_s))) if possible else 0
    reduced_s = predicted_s(reduced)
    split_s = total_s + (sessions - 1) * each_s if sessions else None
    return [
        {"name": "A", "timesteps": timesteps, "sessions": 1, "predicted_s": total_s, "session_s": total_s},
        {
            "name": "B",
            "timesteps": reduced,
            "sessions": 1,
            "predicted_s": reduced_s,
            "session_s": reduced_s,
        },
        {
            "name": "C",
            "timesteps": timesteps,
            "sessions": sessions,
            "predicted_s": split_s,
            "session_s": split_s / sessions if split_s else None,
        },
    ]
