"""What the benchmark writes into the repository: results-forecast.json, and the history that ships with the kit."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.forecast.outcome import Outcome
from benchmarks.forecast.results import Row
from benchmarks.forecast.workloads import WORKLOADS, Workload
from kit.harness.platform import machine
from kit.timing.pair import Pair
from kit.timing.prediction import this_machine

RESULTS = Path(__file__).resolve().parents[1] / "results-forecast.json"


def what_is_missing(
    facts: Iterable[Mapping[str, Any]], workloads: Mapping[str, Workload] = WORKLOADS
) -> list[str]:
    """Return why these facts are not the whole benchmark, a line a workload; nothing where they are."""
    there = {one["name"]: one for one in facts}
    missing = []
    for name, workload in workloads.items():
        one = there.get(name)
        if one is None:
            missing.append(f"{name} was not measured")
        elif one["failure"]:
            missing.append(f"{name} failed: {one['failure']}")
        elif one["timesteps"] != workload.timesteps:
            missing.append(f"{name} was run for {one['timesteps']:,} steps, not {workload.timesteps:,}")
    return missing


def where(kind: str) -> str:
    """Return the machine in words, as the rows of results.json have it, where it is this one; else its kind."""
    if kind != this_machine():
        return kind
    facts = machine()
    return f"{platform.machine()}, {facts['cpu']}, {facts['cores']} cores"


def write_results(rows: Sequence[Row], path: Path = RESULTS) -> None:
    """Write the rows."""
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def write_history(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write the pairs of the runs, one a line in a JSON list; raises ValueError where one would not be read again."""
    rows = [one.pair.as_json() for one in outcomes]
    for row in rows:
        Pair.from_json(json.loads(json.dumps(row)))
    path.write_text("[\n " + ",\n ".join(json.dumps(row) for row in rows) + "\n]\n")
