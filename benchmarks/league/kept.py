"""results-league.json: the rows of each of its benchmarks, which are measured by themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results-league.json"
LEARNING, SPEED, LONG = "learning", "speed", "long"
Row = dict[str, Any]


def rows_of(benchmark: str, path: Path = RESULTS) -> list[Row]:
    """Return the rows of a benchmark; those that do not say are of LEARNING."""
    return [row for row in _all(path) if row.get("benchmark", LEARNING) == benchmark]


def keep(rows: Sequence[Row], benchmark: str, path: Path = RESULTS) -> None:
    """Put the rows of a benchmark in place of those of an earlier run; those of the others stay."""
    others = [row for row in _all(path) if row.get("benchmark", LEARNING) != benchmark]
    mine = [{**row, "benchmark": benchmark} for row in rows]
    both = [*mine, *others] if benchmark == LEARNING else [*others, *mine]
    path.write_text(json.dumps(both, indent=1, ensure_ascii=False) + "\n")


def _all(path: Path) -> list[Row]:
    found: list[Row] = json.loads(path.read_text()) if path.exists() else []
    return found
