"""Whether the quick test trains what the full run will: the same environment, episodes of the same length."""

from __future__ import annotations

import ast

from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.launching import Launching
from kit.preflight.notebook_source import calls_of, names_that_follow

SWITCH = "quick_test"
OPENING = "TrainingSession.open"


def _look_at_switch(launching: Launching) -> Verdict:
    """Follow ``quick_test`` through the cells: what reaches ``learn`` makes another training of the quick test."""
    calls = [*calls_of(launching.cells, "learn")]
    if not calls:
        return notes("The notebook calls no learn(), so what its episodes are made of was not followed.")
    following = names_that_follow(launching.cells, SWITCH, OPENING)
    for call in calls:
        for given in [*call.args[1:], *(keyword.value for keyword in call.keywords)]:
            names = {node.id for node in ast.walk(given) if isinstance(node, ast.Name)}
            if SWITCH in names:
                return fails(f"learn() is given {ast.unparse(given)!r}.")
            for name in sorted(names & following.keys()):
                return fails(f"learn() is given {name!r}, which depends on quick_test: {following[name]}")
    return passes(
        "Nothing that learn() is given depends on quick_test: environment, episodes and settings are the run's."
    )


SAME_EPISODES = Check(
    "Episode length as in the full run",
    "A quick test had episodes of 120 s and the full run of an hour: its times and rewards were of another task.",
    "Let quick_test shorten what comes after the training (test days); the session shortens the training itself.",
    _look_at_switch,
)
