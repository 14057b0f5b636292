"""What a quick test's training saw of episodes: how long they were, how they ended, and which horizon is declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kit.preflight.check import Verdict, fails, notes, passes

ENOUGH = 3
"""So many episodes of one length are its limit, and no coincidence."""
HORIZONS = ("horizon", "horizons")
"""Columns of a comparison that say how long an episode of it was to be."""


@dataclass(frozen=True)
class Lengths:
    """Lengths of episodes, in steps of one environment: how many there were, the shortest and the longest."""

    count: int = 0
    least: int = 0
    most: int = 0

    @classmethod
    def of(cls, lengths: Iterable[int]) -> Lengths:
        """Sum up ``lengths``."""
        found = [*lengths]
        return cls(len(found), min(found), max(found)) if found else cls()

    @property
    def one(self) -> int:
        """The length that all of them have; 0 where they differ, or there is none."""
        return self.most if self.least == self.most else 0

    def __str__(self) -> str:
        return f"after {self.most:,} steps" if self.one else f"after {self.least:,} to {self.most:,} steps"


@dataclass(frozen=True)
class EpisodesSeen:
    """The episodes of a training.

    Attributes:
        over: those that ended by themselves.
        cut: those that were cut off.
        under_way: steps of the longest one that had not ended.
        declared: the horizons that the environment declares, steps, by the name they are declared under.
    """

    over: Lengths = field(default_factory=Lengths)
    cut: Lengths = field(default_factory=Lengths)
    under_way: int = 0
    declared: Mapping[str, int] = field(default_factory=dict)

    @property
    def longest(self) -> int:
        """The most steps that any episode had, ended or not."""
        return max(self.over.most, self.cut.most, self.under_way)

    @property
    def limit(self) -> int:
        """The length that enough episodes were cut off at, and none went beyond; 0 where there is no such limit."""
        alike = self.cut.one if self.cut.count >= ENOUGH else 0
        return alike if self.longest <= alike else 0

    @property
    def told(self) -> str:
        """How the episodes ended, in a sentence."""
        parts = []
        if self.over.count:
            parts.append(f"{self.over.count:,} ended by themselves {self.over}")
        if self.cut.count:
            parts.append(f"{self.cut.count:,} {'were' if self.cut.count > 1 else 'was'} cut off {self.cut}")
        if not parts:
            return f"No episode of the quick test ended; the longest was at step {self.under_way:,}."
        return f"Of the episodes that the quick test trained on, {' and '.join(parts)}."

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, there: Any) -> EpisodesSeen:
        """Return what ``as_json`` made; raises LookupError, TypeError or ValueError where it is none of that."""
        over, cut = (Lengths(**{k: int(v) for k, v in there[name].items()}) for name in ("over", "cut"))
        declared = {str(name): int(steps) for name, steps in dict(there["declared"]).items()}
        return cls(over, cut, int(there["under_way"]), declared)


def look_at_lengths(seen: EpisodesSeen, evaluated: int = 0) -> Verdict:
    """Judge the episodes of a quick test by what its environment declares, and by the length that is ``evaluated``.

    One that is cut off before the declared horizon need be no fault: a wrapper may repeat actions, or leave early for
    reasons of its own. Where the evaluation plays what is declared, and every training episode ends short of it, it is.
    """
    horizon = min(seen.declared.values(), default=0)
    said = [seen.told, _declares(seen.declared)]
    if not seen.over.count and not seen.cut.count:
        return (passes if horizon else notes)(" ".join(said))
    short = seen.cut.count and seen.cut.most == seen.longest
    if short and seen.longest < horizon:
        alike = seen.cut.one if seen.cut.count > 1 else 0
        if alike and evaluated in seen.declared.values():
            said.append(f"The evaluation plays {evaluated:,}.")
            return fails(" ".join(said))
        return notes(" ".join(said))
    if short and seen.longest < evaluated:
        return notes(" ".join([*said, f"The evaluation plays {evaluated:,}."]))
    return passes(" ".join(said))


def _declares(declared: Mapping[str, int]) -> str:
    if not declared:
        return "The environment declares no horizon."
    told = ", ".join(f"{steps:,} ({name})" for name, steps in declared.items())
    return f"The environment declares {told}."


def other_horizon(seen: EpisodesSeen, declared: Mapping[str, int]) -> str:
    """Return how the horizon that the full run's environment declares differs from the quick test's; empty if not."""
    for name, steps in declared.items():
        before = seen.declared.get(name, steps)
        if before != steps:
            return (
                f"The environment of the quick test declared a horizon of {before:,} steps, this run's one of "
                f"{steps:,} ({name}). {seen.told}"
            )
    return ""


def unexplained_limit(seen: EpisodesSeen) -> int:
    """Return the limit that the quick test's episodes were cut off at where nothing declares it, 0 else."""
    return seen.limit if seen.limit not in seen.declared.values() else 0


def horizon_of_evaluation(results: Mapping[str, Any]) -> int:
    """Return the one length, in steps, that results.json gives every episode of the evaluation; 0 where it does not."""
    evaluation = results.get("evaluation")
    found = {len(one["time_s"]) for one in _rows(evaluation, "series") if isinstance(one.get("time_s"), list)}
    for row in _rows(evaluation, "controllers"):
        for value in (row.get(name) for name in HORIZONS):
            found |= {each for each in (value if isinstance(value, list) else [value]) if type(each) is int}
    return found.pop() if len(found) == 1 else 0


def _rows(evaluation: Any, name: str) -> list[Mapping[str, Any]]:
    """Return the objects in a list of the evaluation, which any notebook may have written; none where there is none."""
    there = evaluation.get(name) if isinstance(evaluation, Mapping) else None
    return [row for row in there if isinstance(row, Mapping)] if isinstance(there, list) else []
