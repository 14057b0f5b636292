"""Whether the training trained: gradient steps, and weights that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kit.preflight.check import Check, Verdict, fails, notes, passes


@dataclass(frozen=True)
class Learning:
    """A short training: gradient steps, and the trainable weights before and after it, by name."""

    updates: int
    steps: int
    before: Mapping[str, np.ndarray]
    after: Mapping[str, np.ndarray]


def _look_at_updates(learning: Learning) -> Verdict:
    if learning.updates <= 0:
        return fails(f"{learning.steps:,} steps contained no gradient step.")
    return passes(f"{learning.updates:,} gradient steps in {learning.steps:,} steps.")


def _look_at_weights(learning: Learning) -> Verdict:
    after, before = learning.after, learning.before
    broken = [name for name, value in after.items() if not np.isfinite(value).all()]
    if broken:
        return fails(
            f"{len(broken)} of {len(after)} weights are no numbers any more, {broken[0]} among them."
        )
    same = [name for name, value in after.items() if np.array_equal(value, before[name])]
    if len(same) == len(after):
        return fails(f"None of {len(after)} trainable weights changed in {learning.steps:,} steps.")
    moved = float(np.sqrt(sum(float(np.sum((after[n] - before[n]) ** 2)) for n in after)))
    saw = f"{len(after) - len(same)} of {len(after)} trainable weights changed, by {moved:.3g} in all"
    if same:
        return notes(f"{saw}; {same[0]} did not.")
    return passes(f"{saw}.")


UPDATES = Check(
    "Gradient steps happened",
    "A hundred-step test with learning_starts=1000 contained none; times 240, it promised a night that never came.",
    "Lower learning_starts, or plan more steps; look at train_freq and gradient_steps.",
    _look_at_updates,
)
WEIGHTS = Check(
    "Weights changed",
    "A zero learning rate or a frozen network trains for hours and ends with the weights it began with.",
    "Look at the learning rate, at requires_grad, and at whether the optimizer holds the network's parameters.",
    _look_at_weights,
)
