"""How episodes end: over (terminated) or cut off (truncated), and whether the two are confused."""

from __future__ import annotations

import numpy as np

from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.trace import Episode, Trace

ENOUGH = 3
"""Fewer episodes of equal length are a coincidence."""


def _look_at_ends(trace: Trace) -> Verdict:
    episodes = trace.seen
    if not episodes:
        return notes(f"No episode ended within {trace.steps:,} steps, so none of its ends was seen.")
    over = [episode for episode in episodes if not episode.truncated]
    cut = {episode.length for episode in episodes if episode.truncated}
    if trace.without_last:
        return fails(
            f"{trace.without_last} of {len(episodes)} episodes ended without info['terminal_observation']: the "
            "value of their last state is taken from the next episode's first."
        )
    lengths = {episode.length for episode in over}
    saw = f"{len(over)} ended by themselves ({_range(lengths)}), {len(episodes) - len(over)} cut off ({_range(cut)})"
    if not cut and len(over) >= ENOUGH and len(lengths) == 1 and lengths != {1} and not _clock(trace, over):
        return fails(
            f"All {len(over)} episodes end by themselves after exactly {lengths.pop()} steps, whatever was done: "
            "that is a time limit, reported as terminated."
        )
    if not over and len(cut) > 1:
        return notes(f"{saw}: cut off at different lengths, so not by a time limit. Is that terminated?")
    return passes(f"{saw}.")


def _range(lengths: set[int]) -> str:
    if not lengths:
        return "none"
    low, high = min(lengths), max(lengths)
    return f"after {low} steps" if low == high else f"after {low} to {high} steps"


def _clock(trace: Trace, episodes: list[Episode]) -> bool:
    """Whether a component of the observation tells the time: the same in all episodes, and always on the move."""
    seen = np.stack([trace.observed(episode) for episode in episodes])  # (episodes, length, D)
    alike = (seen == seen[:1]).all(axis=(0, 1))
    steps = np.diff(seen[0], axis=0)
    moves = ((steps > 0).all(axis=0)) | ((steps < 0).all(axis=0))
    return bool((alike & moves).any())


ENDS = Check(
    "Terminated and truncated not confused",
    "A time limit told as terminated teaches that the future is worth nothing, whatever the agent does.",
    "Return truncated=True at a time limit and terminated=True only where the state itself ends the episode.",
    _look_at_ends,
)
