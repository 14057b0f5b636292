"""``python -m benchmarks [NAME …]``: run the benchmarks and write benchmarks/results.json.

Rates are CPU-seconds where the table says so; everything else is wall time. Run it on an otherwise idle machine: each
figure is a median of several alternating repeats, but nothing can be paired against a machine that is never idle.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
from pathlib import Path
from typing import Any

from kit.errors import choose
from kit.harness.platform import machine

BENCHMARKS = {
    "environment": "bench_environment",
    "ppo": "bench_ppo",
    "throttle": "bench_throttle",
    "diagnostics": "bench_diagnostics",
    "import": "bench_import",
    "phases": "bench_phases",
    "overhead": "bench_overhead",
    "checkpoint": "bench_checkpoint",
    "resume": "bench_resume",
    "end-to-end": "bench_end_to_end",
    "memory": "bench_memory",
    "remote": "bench_remote",
}
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Run those asked for (all by default); rows of the others are kept as they were."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    names = parser.parse_args().names or list(BENCHMARKS)
    modules = {name: choose("benchmark", name, BENCHMARKS) for name in names}
    facts = machine()
    where = f"{platform.machine()}, {facts.get('cpu', 'unknown CPU')}, {os.cpu_count()} cores"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for name, module in modules.items():
        print(f"\n== {name}")
        rows = importlib.import_module(f"benchmarks.{module}").main()
        keep([{**row, "benchmark": name, "date": today, "machine": where} for row in rows], name)


def keep(rows: list[dict[str, Any]], name: str) -> None:
    """Put the rows of one benchmark in place of those before."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    kept = [row for row in before if row["benchmark"] != name]
    RESULTS.write_text(json.dumps(kept + rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
