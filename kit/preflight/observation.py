"""Whether observations are what their space says, and tell states apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.trace import Trace

FLAT_SHARE = 0.99
"""A component is flat that lies on one of its bounds in this share of the steps."""
MANY = 0.5
"""This share of flat or constant components is worth a note."""


def _look_inside(trace: Trace) -> Verdict:
    seen = trace.observations.reshape(-1, trace.observations.shape[-1])
    if np.isnan(seen).any():
        return fails(f"{_where(np.isnan(seen).any(axis=0))} is NaN.")
    outside = (seen < trace.low) | (seen > trace.high)
    if outside.any():
        worst = int(outside.any(axis=0).argmax())
        least, most = float(seen[:, worst].min()), float(seen[:, worst].max())
        return fails(
            f"{_where(outside.any(axis=0))} leaves its bounds in {outside.any(axis=1).mean():.0%} of the steps: "
            f"component {worst} goes from {least:.4g} to {most:.4g}, its space from {trace.low[worst]:.4g} to "
            f"{trace.high[worst]:.4g}."
        )
    return passes(f"{len(seen):,} observations of {seen.shape[1]} components, all within their space.")


def _look_for_change(trace: Trace) -> Verdict:
    seen = trace.observations.reshape(-1, trace.observations.shape[-1])
    constant = (seen == seen[0]).all(axis=0)
    at_low, at_high = (seen <= trace.low).mean(axis=0), (seen >= trace.high).mean(axis=0)
    low, high = at_low >= FLAT_SHARE, at_high >= FLAT_SHARE
    n = seen.shape[1]
    if constant.all():
        return fails(f"The observation is the same in all {len(seen):,} steps.")
    if (low | high).all():
        return fails(
            f"All {n} components lie on a bound of their space in {FLAT_SHARE:.0%} of the steps: clipped flat."
        )
    saw = f"{n - int(constant.sum())} of {n} components change"
    if high.any() or low.any():
        saw += f"; {int(high.sum())} lie on their upper bound and {int(low.sum())} on their lower one"
    if max(constant.mean(), high.mean()) > MANY:
        return notes(f"{saw}, all the time.")
    return passes(f"{saw}.")


def _where(which: Any) -> str:
    """Return ``component 3`` or ``components 3, 4, 7 …``."""
    indices = np.flatnonzero(which)
    shown = ", ".join(str(index) for index in indices[:4]) + (" …" if len(indices) > 4 else "")
    return f"Component{'s' if len(indices) > 1 else ''} {shown} ({len(indices)} of {len(which)})"


SPACE = Check(
    "Observations inside their space",
    "What lies outside is clipped or scaled wrongly without a word; NaN spreads through every weight.",
    "Correct the bounds of observation_space, or what is observed.",
    _look_inside,
)
CHANGE = Check(
    "Observations not constant or clipped flat",
    "An agent whose observation does not change can only learn one action for all states.",
    "Look at a few observations; scale before clipping, and observe what the action depends on.",
    _look_for_change,
)
