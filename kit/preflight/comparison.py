"""Whether agent and baselines were judged alike: the same seeds, the same horizons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.quick_run import QuickRun

EQUAL = ("vehicles", "horizon", "horizons", "steps", "lengths")
"""Columns of a comparison that must be the same for everybody: they follow from seed and horizon alone."""


def _look_at_comparison(quick: QuickRun) -> Verdict:
    evaluation = quick.results.get("evaluation")
    rows = evaluation.get("controllers", []) if isinstance(evaluation, Mapping) else []
    if len(rows) < 2:
        return notes("The quick test saved no comparison of an agent with a baseline (results.json).")
    first = rows[0]
    for row in rows[1:]:
        if sorted(row.get("seeds", [])) != sorted(first.get("seeds", [])):
            return fails(
                f"{_pair(first, row)} were not judged on the same seeds: {_told(first, row, 'seeds')}."
            )
        for column in EQUAL:
            if not _equal(row.get(column), first.get(column)):
                return fails(f"{_pair(first, row)} had other {column}: {_told(first, row, column)}.")
    lengths = {
        str(one["controller"]): len(one["time_s"]) for one in quick.results["evaluation"].get("series", [])
    }
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        return fails(f"The horizons differ, in decisions: {told}.")
    seeds = first.get("seeds", [])
    if not seeds:
        return notes(f"{len(rows)} controllers were compared, and results.json does not say on which seeds.")
    return passes(f"{len(rows)} controllers on the same {len(seeds)} seeds, over equal horizons.")


def _equal(one: Any, other: Any) -> bool:
    """Whether two columns are the same, but for the last digits of sums that were taken in another order."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-6)
    return bool(one == other)


def _pair(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    return f"{one.get('name', '?')!r} and {other.get('name', '?')!r}"


def _told(one: Mapping[str, Any], other: Mapping[str, Any], column: str) -> str:
    return f"{_short(one.get(column))} and {_short(other.get(column))}"


def _short(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    shown = ", ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in values[:3])
    return shown + (" …" if len(values) > 3 else "")


COMPARISON = Check(
    "Baseline and agent judged over equal horizons and seeds",
    "A baseline ran for 10 minutes and the agent for 60, and their difference was called an improvement.",
    "Play every controller on the same seeds over the same horizon; kit.traffic.comparison.compare does.",
    _look_at_comparison,
)
