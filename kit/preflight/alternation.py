"""Whether the trained agent does better than one that merely alternates its actions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kit.preflight.check import Check, Verdict, fails, notes, passes

WINS = 0.75
"""The share of equal starts on which the agent must be the better one."""


@dataclass(frozen=True)
class Contest:
    """Agent and alternation from equal starts, over equal horizons: (N,) sums of rewards each.

    ``trained_share`` is the share of the planned steps that the agent has been trained for.
    """

    agent: np.ndarray
    alternating: np.ndarray
    horizon: int
    trained_share: float


def _look_at_contest(contest: Contest) -> Verdict:
    n = len(contest.agent)
    if not n:
        return notes("There is no second action to alternate with, or no start was played.")
    wins = int(np.sum(contest.agent > contest.alternating))
    mean, other = float(np.mean(contest.agent)), float(np.mean(contest.alternating))
    saw = (
        f"Over {n} equal starts of up to {contest.horizon:,} steps the agent earns {mean:.4g} and alternating actions "
        f"{other:.4g}; it is the better one in {wins}"
    )
    if mean > other and wins >= WINS * n:
        return passes(f"{saw}.")
    if contest.trained_share < 1:
        return notes(f"{saw}. After {contest.trained_share:.0%} of the training that is too early to tell.")
    return fails(f"{saw}, with all of its training done.")


ALTERNATION = Check(
    "Alternating actions do not match the agent",
    "An agent earned its reward by alternating phases, and the figures called that learned control.",
    "Compare again after the full run; if alternating still matches, look at what the reward pays for.",
    _look_at_contest,
)
