"""Whether the reward says anything: a number, and not always zero."""

from __future__ import annotations

import numpy as np

from kit.preflight.check import Check, Verdict, fails, notes, passes


def look_at_rewards(rewards: np.ndarray) -> Verdict:
    """Judge (N,) rewards of any steps: NaN, infinity and nothing but zeros fail, any other constant is a note."""
    found = np.asarray(rewards, dtype=np.float64).ravel()
    if not found.size:
        return notes("No step was taken, so no reward was seen.")
    wrong = int(np.count_nonzero(~np.isfinite(found)))
    if wrong:
        return fails(f"{wrong:,} of {found.size:,} rewards are not finite numbers.")
    low, high = float(found.min()), float(found.max())
    if low == high == 0:
        return fails(f"All {found.size:,} rewards are zero.")
    if low == high:
        return notes(
            f"All {found.size:,} rewards are {low:g}: only the length of an episode tells them apart."
        )
    zero = float(np.mean(found == 0))
    return passes(f"{found.size:,} rewards from {low:.4g} to {high:.4g}, {zero:.0%} of them zero.")


REWARD = Check(
    "Reward not identically zero, not NaN",
    "A reward was 0 in all logged steps, and the agent that trained on it for hours could learn nothing.",
    "Print the terms of the reward for a few steps; where it is sparse, give the quick test more steps.",
    look_at_rewards,
)
