"""``python -m benchmarks.forecast``: quick test, then run, of each workload; takes about an hour.

Run it on an otherwise idle machine. ``--folder`` keeps the raw facts, from which ``--from`` makes the tables again.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.forecast.measuring import Bench, opened
from benchmarks.forecast.workloads import WORKLOADS, Workload, find_workload
from kit.errors import UsageError

WARM, WARM_STEPS = "ppo-varying", 40_000


def main(words: list[str] | None = None) -> int:
    """Measure the workloads asked for (all by default); exit 1 where one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--folder", type=Path, help="keeps the raw facts, NAME.json each")
    parser.add_argument("--share", type=float, default=1.0, help="of every run's steps, to try it out")
    parser.add_argument("--cold", action="store_true", help="leave out the first, forgotten quick test")
    chosen = parser.parse_args(words)
    try:
        workloads = [find_workload(name) for name in chosen.only or WORKLOADS]
    except UsageError as error:
        parser.error(str(error))
    with opened(chosen.folder, chosen.share) as bench:
        if not chosen.cold:
            bench.warm(find_workload(WARM), WARM_STEPS)
        facts = measure(bench, workloads)
    return 1 if any(one["failure"] for one in facts) else 0


def measure(bench: Bench, workloads: list[Workload]) -> list[dict[str, Any]]:
    """Measure one after the other, and say on stderr how each went; one that fails leaves the others standing."""
    facts = []
    for number, workload in enumerate(workloads, 1):
        began = time.perf_counter()
        one = bench.facts_of(workload)
        facts.append(one)
        took = f"{time.perf_counter() - began:.0f} s"
        print(
            f"[{number}/{len(workloads)}] {workload.name}: {_brief(one)} ({took} in all)",
            file=sys.stderr,
            flush=True,
        )
    return facts


def _brief(facts: dict[str, Any]) -> str:
    if facts["failure"]:
        return f"FAILED, {facts['failure']}"
    quick, run = facts["quick"], facts["run"]
    predicted, actual = quick["summary"]["forecast"]["predicted_s"], run["summary"]["elapsed_s"]
    steps = quick["timing"]["measured"]["timesteps"] / facts["timesteps"]
    checks = "" if quick["exit_code"] == 0 else f", quick test exited {quick['exit_code']}"
    return (
        f"predicted {predicted:.1f} s, actual {actual:.1f} s ({actual / predicted - 1:+.1%}), "
        f"quick test {quick['wall_s'] / run['wall_s']:.1%} of the time, {steps:.1%} of the steps{checks}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
