"""``python -m benchmarks.league.long``: three seeds of tic-tac-toe and of SimpleTak, learnt by self-play.

Run it on an otherwise idle machine. ``--folder`` keeps the raw facts, from which ``--from`` makes tables and figures
again. Rows of benchmarks/results-league.json and the figures in docs/figures are written where all seeds were measured
with the settings as they are. ``--markdown`` prints the table of docs/self-play.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.league.kept import LONG, keep
from benchmarks.league.kept import rows_of as kept_rows
from benchmarks.league.long_figures import draw
from benchmarks.league.long_measuring import all_jobs, missing
from benchmarks.league.long_results import rows_of
from benchmarks.league.long_settings import TAK, TIC_TAC_TOE
from benchmarks.league.measuring import SEEDS, read_facts
from benchmarks.league.table import markdown, plain

WANTED = {one.env_id: one for one in (TIC_TAC_TOE, TAK)}
FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"


def main(words: list[str] | None = None) -> int:
    """Measure and print; exit 1 where something that was asked for is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.league.long", description=__doc__)
    parser.add_argument("--games", nargs="+", choices=list(WANTED), default=list(WANTED))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="N")
    parser.add_argument("--updates", type=int, help="of each, to try it out")
    parser.add_argument("--processes", type=int, default=2, help="at a time, with a thread each")
    parser.add_argument("--folder", type=Path, help="keeps the raw facts")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER", help="measure nothing: facts are here"
    )
    parser.add_argument("--partial", action="store_true", help="write rows and figures of what there is")
    parser.add_argument("--markdown", action="store_true", help="print the table of the docs only")
    chosen = parser.parse_args(words)
    if chosen.markdown and not chosen.source:
        print(markdown(kept_rows(LONG)), end="")
        return 0
    if chosen.source:
        facts = read_facts(chosen.source)
        return evaluate(facts, as_markdown=chosen.markdown, partial=chosen.partial)
    settings = [WANTED[name] for name in chosen.games]
    if chosen.updates:
        settings = [
            replace(one, updates=chosen.updates, look_every=max(1, chosen.updates // 3)) for one in settings
        ]
    jobs = [(one, seed) for one in settings for seed in chosen.seeds]
    with tempfile.TemporaryDirectory(prefix="league-facts-") as scratch:
        folder = chosen.folder or Path(scratch)
        return evaluate(all_jobs(jobs, folder, chosen.processes), partial=chosen.partial)


def evaluate(facts: Sequence[dict[str, Any]], *, as_markdown: bool = False, partial: bool = False) -> int:
    """Print what the facts say, and keep it where they are the whole benchmark; exit 1 where something is missed."""
    rows = rows_of(facts)
    print(markdown(rows) if as_markdown else plain(rows), end="")
    wanting = missing(facts, WANTED, SEEDS)
    if wanting:
        told = "Written in part" if partial else "Nothing is written"
        print(f"{told}: {'; '.join(wanting)}.", file=sys.stderr)
    if partial or not wanting:
        keep(rows, LONG)
        for path in draw(facts, FIGURES):
            print(f"{path} is drawn.", file=sys.stderr)
    return 0 if all(row.get("met", True) for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
