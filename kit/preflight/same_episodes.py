"""Whether the quick test trains what the full run will: the same environment, episodes of the same length."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from kit.preflight.check import FAIL, PASS, Check, Verdict, fails, notes, passes
from kit.preflight.episodes import horizon_of_evaluation, look_at_lengths
from kit.preflight.launching import Launching
from kit.preflight.notebook_source import calls_of, names_that_follow
from kit.preflight.quick_run import QuickRun

SWITCH = "quick_test"
OPENING = "TrainingSession.open"
ENVIRONMENT = 3
"""The place of ``make_env`` among the arguments of ``learn``."""


def _look_at_episodes(quick: QuickRun) -> Verdict:
    """Judge the episodes that were trained on, and what the notebook's source makes of them; the worse holds."""
    source = _look_at_switch(quick.launching)
    if quick.episodes is None:
        return source
    trained = look_at_lengths(quick.episodes, horizon_of_evaluation(quick.results))
    said = f"{trained.saw} {source.saw}" if source.status == PASS else f"{source.saw} {trained.saw}"
    if FAIL in (trained.status, source.status):
        return fails(said)
    return passes(said) if trained.status == source.status == PASS else notes(said)


def _look_at_switch(launching: Launching) -> Verdict:
    """Follow ``quick_test`` through the cells: what reaches ``learn`` makes another training of the quick test."""
    calls = [*calls_of(launching.cells, "learn")]
    if not calls:
        return notes("The notebook calls no learn(), so what its episodes are made of was not followed.")
    following = names_that_follow(launching.cells, SWITCH, OPENING)
    for call in calls:
        environment, others = _arguments(call)
        for given in environment:
            if why := _depends(given, following):
                return fails(f"The environment of the quick test need not be the full run's: {why}.")
        for given in others:
            if why := _depends(given, following):
                return notes(f"The quick test trains otherwise than the full run: {why}.")
    return passes(
        "Nothing that learn() is given depends on quick_test: its environment and episodes are the full run's."
    )


def _arguments(call: ast.Call) -> tuple[list[ast.expr], list[ast.expr]]:
    """Return what ``learn(session, algorithm, policy, make_env, …)`` is given as environment, and the rest."""
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    environment = [*call.args[ENVIRONMENT : ENVIRONMENT + 1]]
    environment += [value for name, value in named.items() if name == "make_env"]
    others = [*call.args[1:ENVIRONMENT], *(value for name, value in named.items() if name != "make_env")]
    return environment, others


def _depends(given: ast.expr, following: Mapping[str, str]) -> str:
    """Return how an argument depends on the switch; empty where it does not."""
    names = {node.id for node in ast.walk(given) if isinstance(node, ast.Name)}
    names |= {
        node.attr for node in ast.walk(given) if isinstance(node, ast.Attribute) and node.attr == SWITCH
    }
    if SWITCH in names:
        return f"learn() is given {ast.unparse(given)}"
    return next(
        (f"{name} depends on quick_test, {following[name]}" for name in sorted(names & following.keys())), ""
    )


SAME_EPISODES = Check(
    "Episode length as in the full run",
    "A quick test had episodes of 120 s and the full run of an hour: its times and rewards were of another task.",
    "Let quick_test shorten what comes after the training (test days); the session shortens the training itself.",
    _look_at_episodes,
)
