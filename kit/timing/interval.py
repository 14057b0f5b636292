"""Intervals that hold: split conformal prediction on the log ratio of actual to predicted times.

With n past pairs, the rank ⌈level·(n+1)⌉ of |log(actual/predicted)| is the half-width, in factors, that covers a new
run with probability ``level`` as long as it resembles those before it (Vovk et al. 2005; Lei et al. 2018). Nine pairs
are the fewest that can carry 90 %.

Runs that were stopped before their end, or reduced, never become pairs: of those that overran, the history knows only
the ones that had the time to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kit.timing.pair import Pair

LEVEL = 0.9
FEWEST_PAIRS = 9
GUESS = 2.0
"""The factor where there is no pair at all; it claims no level."""
WORTH_S = 0.05
"""A phase that is predicted to take less, in seconds, says nothing by its ratio; one that takes less counts as this."""
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""The shares of the steps after which a run notes how long it thinks it will still take."""


@dataclass(frozen=True)
class Interval:
    """A multiplicative interval around a prediction: from prediction ÷ factor to prediction × factor."""

    factor: float
    level: float
    calibrated: bool
    pairs: int

    @property
    def known(self) -> bool:
        """Whether there are pairs enough for LEVEL, from here or shipped."""
        return self.level >= LEVEL

    def around(self, predicted_s: float) -> tuple[float, float]:
        """Return (low, high) in seconds."""
        return predicted_s / self.factor, predicted_s * self.factor


def conformal(ratios: Iterable[float], level: float = LEVEL, *, calibrated: bool = True) -> Interval:
    """Return the interval that so many ratios of actual to predicted justify.

    With too few for the level the widest ratio seen is used, and the level is what that supports.
    """
    scores = sorted(abs(math.log(ratio)) for ratio in ratios)
    if not scores:
        return Interval(GUESS, 0.0, calibrated=False, pairs=0)
    rank = math.ceil(level * (len(scores) + 1))
    if rank > len(scores):
        supported = len(scores) / (len(scores) + 1)
        return Interval(math.exp(scores[-1]), supported, calibrated=False, pairs=len(scores))
    return Interval(math.exp(scores[rank - 1]), level, calibrated, len(scores))


class Intervals:
    """The intervals for a kind of machine: by its own pairs once there are nine, before that by the shipped ones too.

    The few of its own count then as well: a machine that is busier than the one of the shipped runs shows it at once.
    """

    def __init__(self, machine: str, own: Sequence[Pair], shipped: Sequence[Pair]) -> None:
        self._own = [pair for pair in own if pair.machine == machine]
        self._shipped = list(shipped)

    def run(self, level: float = LEVEL) -> Interval:
        """Return the interval of a whole run."""
        return self._best(
            [pair.actual_s / pair.predicted_s for pair in self._own],
            [pair.actual_s / pair.predicted_s for pair in self._shipped],
            level,
        )

    def phase(self, name: str, level: float = LEVEL) -> Interval:
        """Return the interval of one phase's seconds."""
        return self._best(_of_phase(name, self._own), _of_phase(name, self._shipped), level)

    def ahead(self, share: float, level: float = LEVEL) -> Interval:
        """Return the interval of the seconds still to come once ``share`` of the steps are done.

        It comes from what earlier runs foretold at the last of SHARES before that; before the first, and where too few
        did, it is the run's.
        """
        passed = [one for one in SHARES if one <= share]
        found = self.noted(passed[-1], level) if passed else None
        return found if found is not None and found.known else self.run(level)

    def noted(self, share: float, level: float = LEVEL) -> Interval:
        """Return the interval by what earlier runs foretold at exactly that one of SHARES."""
        return self._best(_of_ahead(share, self._own), _of_ahead(share, self._shipped), level)

    def _best(self, own: Sequence[float], shipped: Sequence[float], level: float) -> Interval:
        if len(own) >= FEWEST_PAIRS:
            return conformal(own, level)
        return conformal([*shipped, *own], level, calibrated=False)


def _of_phase(name: str, pairs: Iterable[Pair]) -> list[float]:
    both = [pair.phases[name] for pair in pairs if name in pair.phases]
    return [max(actual, WORTH_S) / predicted for predicted, actual in both if predicted >= WORTH_S]


def _of_ahead(share: float, pairs: Iterable[Pair]) -> list[float]:
    return [one.actual_s / one.predicted_s for pair in pairs for one in pair.ahead if one.share == share]
