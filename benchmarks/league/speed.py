"""``python -m benchmarks.league speed``: how fast self-play is, beside what one would use instead. About 7 minutes.

Run it on an otherwise idle machine. Each part has a process of its own with one thread; alternatives take turns, and
medians count. All parts together are written to benchmarks/results-league.json, beside what else is there;
``--markdown`` prints the table from it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.forecast.shipped import where
from benchmarks.league.kept import SPEED, keep, rows_of
from benchmarks.league.speed_part import PARTS
from benchmarks.league.speed_player import make_player
from benchmarks.league.speed_rows import Row
from benchmarks.league.speed_size import SIZES
from benchmarks.league.table import markdown, plain
from kit.timing.prediction import this_machine

ROOT = Path(__file__).resolve().parents[2]
DIGITS = 4


def main(words: list[str]) -> int:
    """Measure and print; exit 1 where something that was asked for is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.league speed", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them by default"
    )
    parser.add_argument("--size", choices=SIZES, default="whole")
    parser.add_argument("--markdown", action="store_true", help="print the table of results-league.json only")
    chosen = parser.parse_args(words)
    unknown = [name for name in chosen.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    if chosen.markdown:
        print(markdown(rows_of(SPEED)), end="")
        return 0
    rows = measured(chosen.parts or list(PARTS), chosen.size)
    if not chosen.parts and chosen.size == "whole":
        keep(rows, SPEED)
    return 0 if all(row.get("met", True) for row in rows) else 1


def measured(parts: list[str], size: str) -> list[Row]:
    """Make the model, measure the parts, print each one's rows as they come, and return all of them."""
    rows: list[Row] = []
    today, here = datetime.datetime.now(datetime.UTC).date().isoformat(), where(this_machine())
    with tempfile.TemporaryDirectory(prefix="speed-") as room:
        model = make_player(Path(room), SIZES[size].warm_up)
        for name in parts:
            began = time.perf_counter()
            found = [_stamped(row, today, here) for row in _elsewhere(name, model, size)]
            print(plain(found), end="", flush=True)
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            rows += found
    return rows


def _stamped(row: Row, today: str, here: str) -> Row:
    ratio = None if row["ratio"] is None else round(row["ratio"], DIGITS)
    return {**row, "value": round(row["value"], DIGITS), "ratio": ratio, "date": today, "machine": here}


def _elsewhere(name: str, model: Path, size: str) -> list[Row]:
    """Measure a part in a process of its own, with one thread: two on one core are far slower than one."""
    words = [sys.executable, "-m", "benchmarks.league.speed_part", name, str(model), size]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return rows
