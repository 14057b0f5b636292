"""The checks of a quick test that has ended."""

from __future__ import annotations

from kit.preflight.adaptive import ADAPTIVE
from kit.preflight.check import Check, Finding, notes
from kit.preflight.comparison import COMPARISON
from kit.preflight.log_rate import LOG_RATE
from kit.preflight.quick_run import QuickRun
from kit.preflight.safe_keeping import ARCHIVE, END, MANAGER, ROWS, TOTAL, WATCHDOG
from kit.preflight.same_episodes import SAME_EPISODES

AFTER: tuple[Check[QuickRun], ...] = (
    SAME_EPISODES,
    END,
    MANAGER,
    ROWS,
    ARCHIVE,
    WATCHDOG,
    LOG_RATE,
    TOTAL,
    ADAPTIVE,
    COMPARISON,
)
NOT_SEEN = "The quick test ended before anything was there to look at."
WITHOUT_RUN = (SAME_EPISODES, END, MANAGER)
"""What can be told of a notebook that left no run."""


def look_after(quick: QuickRun) -> list[Finding]:
    """Return what the checks see in a quick test; those that need a run are notes where it left none."""
    found = []
    for check in AFTER:
        if quick.run or check in WITHOUT_RUN:
            found.append(check.of(quick))
        else:
            found.append(check.finding(notes(NOT_SEEN)))
    return found
