"""Whether the log throttle is on."""

from __future__ import annotations

from kit.preflight.check import Check, Verdict, fails, passes
from kit.preflight.launching import Launching
from kit.preflight.notebook_source import keywords_of


def _look_at_throttle(launching: Launching) -> Verdict:
    given = keywords_of(launching.cells, "TrainingSession.open", "throttle")
    if False in given or launching.options.get("throttle") is False:
        return fails("The notebook opens its session with throttle=False.")
    return passes("The session's throttle is on, with its default rules or the notebook's.")


THROTTLE = Check(
    "Log throttle on",
    "38 lines a step slow a training down to a third, and enough of them end a notebook by timeout.",
    "Take throttle=False out of TrainingSession.open; give a tag a rule of its own if it must speak more often.",
    _look_at_throttle,
)
