"""All checks in the order in which they are shown, and which of them are items of the zero-loss checklist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kit.preflight.action_effect import ACTION
from kit.preflight.after import AFTER
from kit.preflight.alternation import ALTERNATION
from kit.preflight.check import Check, Finding, notes
from kit.preflight.entrance import ENTRANCE
from kit.preflight.episode_end import ENDS
from kit.preflight.evaluation import EVALUATION
from kit.preflight.gpu_used import GPU_USED
from kit.preflight.learning import UPDATES, WEIGHTS
from kit.preflight.observation import CHANGE, SPACE
from kit.preflight.resume import RESUME
from kit.preflight.reward import REWARD
from kit.preflight.schedule import SCHEDULE
from kit.preflight.seeding import SEEDED

LIVE: tuple[Check[Any], ...] = (
    SPACE,
    CHANGE,
    REWARD,
    ACTION,
    ENDS,
    UPDATES,
    WEIGHTS,
    EVALUATION,
    ALTERNATION,
    SCHEDULE,
    SEEDED,
    GPU_USED,
    RESUME,
)
"""What is looked at while the environment and the model live."""
CHECKS: tuple[Check[Any], ...] = (*ENTRANCE, *LIVE, *AFTER)
CHECKLIST = (
    "Checkpoint directory readable/writable",
    "Kaggle output folder configured",
    "RobustOutputManager integrated in code",
    "Timeout monitor set",
    "Log frequency reduced",
    "Adaptive timestep logic implemented",
    "Intermediate CSV export working",
    "Final artifact finalization code tested",
)
"""The zero-loss guarantee checklist of the Kaggle timing analysis, each item a check of that name."""


def not_looked_at(seen: set[str], why: str) -> list[Finding]:
    """Return a note for each live check that is not among ``seen``: an answer that is missing is no pass."""
    return [check.finding(notes(f"Not looked at: {why}.")) for check in LIVE if check.name not in seen]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order of CHECKS."""
    place = {check.name: number for number, check in enumerate(CHECKS)}
    return sorted(findings, key=lambda finding: place[finding.name])
