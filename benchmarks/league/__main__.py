"""``python -m benchmarks.league``: three seeds of Kuhn poker, and three ladders of tic-tac-toe.

Run it on an otherwise idle machine. ``--folder`` keeps the raw facts, from which ``--from`` makes the tables again.
benchmarks/results-league.json is written where all seeds were measured with the settings as they are. ``--markdown``
prints the README's table, by itself from results-league.json. ``python -m benchmarks.league speed`` is another
benchmark, see speed.py.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.league import speed
from benchmarks.league.kept import LEARNING, RESULTS, SPEED, keep
from benchmarks.league.kept import rows_of as kept_rows
from benchmarks.league.kuhn import KuhnSettings
from benchmarks.league.ladder import PAIRINGS
from benchmarks.league.measuring import SEEDS, all_of_it, read_facts
from benchmarks.league.results import rows_of
from benchmarks.league.table import markdown, plain

NAMES = ("kuhn", *(f"ladder-{pairing}" for pairing in PAIRINGS))


def main(words: list[str] | None = None) -> int:
    """Measure and print; exit 1 where something that was asked for is missed."""
    words = sys.argv[1:] if words is None else words
    if words[:1] == [SPEED]:
        return speed.main(words[1:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks.league", description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="N")
    parser.add_argument("--updates", type=int, default=KuhnSettings().updates, help="of each, to try it out")
    parser.add_argument("--processes", type=int, default=2, help="at a time, with a thread each")
    parser.add_argument("--folder", type=Path, help="keeps the raw facts")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER", help="measure nothing: facts are here"
    )
    parser.add_argument("--markdown", action="store_true", help="print the README's table only")
    chosen = parser.parse_args(words)
    if chosen.markdown and not chosen.source:
        print(markdown(kept_rows(LEARNING)), end="")
        return 0
    if chosen.source:
        return evaluate(read_facts(chosen.source), as_markdown=chosen.markdown)
    settings = replace(KuhnSettings(), updates=chosen.updates)
    with tempfile.TemporaryDirectory(prefix="league-facts-") as scratch:
        folder = chosen.folder or Path(scratch)
        return evaluate(all_of_it(folder, settings, chosen.processes, chosen.seeds))


def evaluate(facts: Sequence[dict[str, Any]], *, as_markdown: bool = False) -> int:
    """Print what the facts say, and write it where they are the whole benchmark; exit 1 where something is missed."""
    rows = rows_of(facts)
    print(markdown(rows) if as_markdown else plain(rows), end="")
    missing = what_is_missing(facts)
    if missing:
        print(f"{RESULTS.name} is not written: {'; '.join(missing)}.", file=sys.stderr)
    else:
        keep(rows, LEARNING)
        print(f"{RESULTS.name} is written.", file=sys.stderr)
    return 0 if all(row.get("met", True) for row in rows) else 1


def what_is_missing(facts: Iterable[dict[str, Any]]) -> list[str]:
    """Return why these facts are not the whole benchmark; nothing where they are."""
    there = {(one["name"], one["seed"]): one for one in facts}
    missing = [f"{name} of seed {n} is not there" for name in NAMES for n in SEEDS if (name, n) not in there]
    now = asdict(KuhnSettings())
    for (name, seed), one in there.items():
        if name == "kuhn" and one["settings"] != now:
            missing.append(f"Kuhn poker of seed {seed} was learnt with other settings")
        if name == "kuhn" and one["status"] != "complete":
            missing.append(f"Kuhn poker of seed {seed} is {one['status']}")
    return missing


if __name__ == "__main__":
    raise SystemExit(main())
