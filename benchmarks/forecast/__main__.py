"""``python -m benchmarks.forecast``: quick test, then run, of each workload; takes about an hour.

Run it on an otherwise idle machine. ``--folder`` keeps the raw facts, from which ``--from`` makes the tables again, and
with all workloads also benchmarks/results-forecast.json and the history that ships with the kit. ``--markdown`` prints
the README's table, by itself from results-forecast.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.forecast.findings import Findings
from benchmarks.forecast.measuring import Bench, opened, read_facts
from benchmarks.forecast.outcome import Outcome
from benchmarks.forecast.phase_table import phase_lines
from benchmarks.forecast.results import Row, rows_of
from benchmarks.forecast.shipped import RESULTS, what_is_missing, where, write_history, write_results
from benchmarks.forecast.table import markdown, plain
from benchmarks.forecast.workloads import WORKLOADS, Workload, find_workload
from kit.errors import UsageError
from kit.timing.history import SHIPPED

WARM, WARM_STEPS = "ppo-varying", 40_000


def main(words: list[str] | None = None) -> int:
    """Measure the workloads asked for (all by default); exit 1 where one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--folder", type=Path, help="keeps the raw facts, NAME.json each")
    parser.add_argument("--share", type=float, default=1.0, help="of every run's steps, to try it out")
    parser.add_argument("--cold", action="store_true", help="leave out the first, forgotten quick test")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER", help="measure nothing: facts are here"
    )
    parser.add_argument("--markdown", action="store_true", help="print the README's table only")
    chosen = parser.parse_args(words)
    if chosen.source:
        return evaluate(read_facts(chosen.source), as_markdown=chosen.markdown)
    if chosen.markdown:
        print(markdown(json.loads(RESULTS.read_text())), end="")
        return 0
    try:
        workloads = [find_workload(name) for name in chosen.only or WORKLOADS]
    except UsageError as error:
        parser.error(str(error))
    with opened(chosen.folder, chosen.share) as bench:
        if not chosen.cold:
            bench.warm(find_workload(WARM), WARM_STEPS)
        measure(bench, workloads)
        return evaluate(read_facts(bench.folder))


def evaluate(facts: list[dict[str, Any]], *, as_markdown: bool = False) -> int:
    """Print what the facts say, and write it where they are the whole benchmark; exit 1 where a workload failed."""
    order = list(WORKLOADS)
    facts = sorted(facts, key=lambda one: order.index(one["name"]))
    outcomes = [Outcome.of(one) for one in facts if not one["failure"]]
    if len(outcomes) < 2:
        print("Two workloads are needed, to hold each against the other's times.", file=sys.stderr)
        return 1
    rows = rows_of(Findings.of(outcomes), where(outcomes[0].machine))
    print(markdown(rows) if as_markdown else f"{plain(rows)}\n{phase_lines(outcomes)}", end="")
    for one in outcomes:
        if one.changed:
            print(f"{one.name}: the kit forecast otherwise when this was measured", file=sys.stderr)
    keep(what_is_missing(facts), rows, outcomes)
    return 1 if any(one["failure"] for one in facts) else 0


def keep(missing: list[str], rows: list[Row], outcomes: list[Outcome]) -> None:
    """Write the results and the history, or say why not."""
    if missing:
        print(f"{RESULTS.name} and {SHIPPED.name} are not written: {'; '.join(missing)}.", file=sys.stderr)
        return
    write_results(rows)
    write_history(outcomes, SHIPPED)
    print(f"{RESULTS.name} and {SHIPPED.name} are written.", file=sys.stderr)


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
