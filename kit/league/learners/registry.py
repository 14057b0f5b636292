"""Learners by name: what ``algorithm="reinforce"`` means, and where a learner of one's own gets a name."""

from __future__ import annotations

from kit.errors import UsageError, choose
from kit.league.learners.a2c import A2C
from kit.league.learners.base import BATCHES, BaseLearner
from kit.league.learners.reinforce import Reinforce

BUILT_IN: dict[str, type[BaseLearner]] = {"reinforce": Reinforce, "a2c": A2C}
_registered: dict[str, type[BaseLearner]] = dict(BUILT_IN)


def register_learner(name: str, learner: type[BaseLearner]) -> None:
    """Have ``learner`` found by ``name``; the same name again replaces it, as a cell that is run twice does.

    Raises:
        UsageError: the name is a built-in one or empty, or the class is no learner.
    """
    if not name or name in BUILT_IN:
        raise UsageError(f"A learner cannot be called {name!r}; taken: {', '.join(BUILT_IN)}.")
    if not (isinstance(learner, type) and issubclass(learner, BaseLearner)):
        raise UsageError(f"A learner is a subclass of BaseLearner, not {learner!r}.")
    if learner.batch_of not in BATCHES:
        raise UsageError(f"batch_of must be one of {', '.join(BATCHES)}, not {learner.batch_of!r}.")
    _registered[name] = learner


def learner_class(name: str) -> type[BaseLearner]:
    """Return the learner of that name; raises UnknownNameError, with the nearest, where there is none."""
    return choose("algorithm", name, _registered)
