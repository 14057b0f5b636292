"""Whether an action changes what comes after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kit.preflight.check import Check, Verdict, fails, notes, passes


@dataclass(frozen=True)
class Fork:
    """The same start, left by different actions: what was observed on the way.

    Attributes:
        first: (K + 1, E, D) observations of the start and of K steps under one action.
        again: the same start and the same actions once more: what differs from ``first`` is chance.
        other: the same start under another action.
        agree_after: from which step on both take the same actions again.
    """

    first: np.ndarray
    again: np.ndarray
    other: np.ndarray
    agree_after: int

    @property
    def by_chance(self) -> bool:
        """Whether the same actions did not give the same observations."""
        return not _same(self.first, self.again)

    @property
    def apart(self) -> np.ndarray:
        """(K + 1, D): which components differed at which step, in any environment."""
        steps = min(len(self.first), len(self.other))
        a, b = self.first[:steps], self.other[:steps]
        differs: np.ndarray = ((a != b) & ~(np.isnan(a) & np.isnan(b))).any(axis=1)
        return differs


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=True))


def _look_at_forks(forks: tuple[Fork, ...]) -> Verdict:
    """Judge several forks: it takes one in which the action mattered."""
    if not forks:
        return notes("The environment has a single action, or none that could be tried.")
    if any(fork.by_chance for fork in forks):
        return notes(
            "The same seed and the same actions gave different observations, so the effect of an action cannot be "
            "told from chance."
        )
    apart = [fork.apart for fork in forks]
    steps = sum(len(one) - 1 for one in apart)
    if not any(one.any() for one in apart):
        return fails(f"Other actions from the same start led to the same observations, for {steps} steps.")
    lasting = [one[fork.agree_after + 1 :].any() for one, fork in zip(apart, forks, strict=True)]
    components = int(np.any([one.any(axis=0) for one in apart], axis=0).sum())
    total = forks[0].first.shape[-1]
    if not any(lasting):
        return fails(
            f"The action shows in {components} of {total} components while it is taken, and leaves nothing behind: one "
            "step after the actions agree again, the observations do too."
        )
    return passes(f"The action changes {components} of {total} components of what is observed after it.")


ACTION = Check(
    "Action changes the next state",
    "An agent acted for hours on a simulator that did not listen; all it could earn was the penalty it avoided.",
    "Follow the action into the simulator: is it applied, in the right units, before the state is read?",
    _look_at_forks,
)
