"""Whether schedules of learning rate and exploration go by the steps that are planned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

from kit.preflight.check import Check, Verdict, fails, passes

TOTAL = re.compile(r"total|timesteps|max_steps", re.IGNORECASE)
DEEPEST = 4


@dataclass(frozen=True)
class Schedules:
    """What the schedules of a training go by.

    Attributes:
        planned: the steps of the full run.
        trained: those that this training was to have; the planned ones, or those of the quick test.
        horizon: the total that the algorithm was given.
        environments: side by side: a schedule may count the steps of each.
        settings: the algorithm's hyperparameters, by name.
    """

    planned: int
    trained: int
    horizon: int
    environments: int
    settings: Mapping[str, Any]


def _look_at_schedules(schedules: Schedules) -> Verdict:
    if schedules.horizon != schedules.trained:
        return fails(
            f"The algorithm was given {schedules.horizon:,} steps, and {schedules.trained:,} are to be trained."
        )
    legal = {schedules.planned, schedules.trained}
    legal |= {total // schedules.environments for total in legal}
    totals = dict(totals_in("", schedules.settings))
    wrong = {name: total for name, total in totals.items() if total not in legal}
    if wrong:
        told = ", ".join(f"{name} is {total:,}" for name, total in wrong.items())
        return fails(f"{told}; planned are {schedules.planned:,} steps.")
    if totals:
        return passes(f"{', '.join(totals)}: {schedules.planned:,} steps, as planned.")
    return passes(f"All schedules go by the share of the {schedules.planned:,} steps that is left.")


def totals_in(place: str, value: Any, depth: int = 0) -> Iterator[tuple[str, int]]:
    """Yield (place, number) for each whole number within ``value`` whose name speaks of a total of steps.

    Looked into are mappings, attributes of objects, what functions close over or have as defaults, and partials.
    """
    if depth > DEEPEST:
        return
    for name, inner in _parts(value):
        where = f"{place}.{name}" if place else name
        if isinstance(inner, int) and not isinstance(inner, bool):
            if TOTAL.search(name):
                yield where, inner
        else:
            yield from totals_in(where, inner, depth + 1)


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), inner) for name, inner in value.items()]
    if isinstance(value, partial):
        return [*value.keywords.items(), *_parts(value.func)]
    if isinstance(value, FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        return [*((name, cell.cell_contents) for name, cell in cells), *(value.__kwdefaults__ or {}).items()]
    if callable(value) and not isinstance(value, type):
        return list(getattr(value, "__dict__", {}).items())
    return []


SCHEDULE = Check(
    "Schedule totals equal the planned timesteps",
    "A schedule made for another total ends exploration too early, or never lets the learning rate fall.",
    "Compute the totals of schedules from total_timesteps, or use SB3's schedules of the progress that remains.",
    _look_at_schedules,
)
