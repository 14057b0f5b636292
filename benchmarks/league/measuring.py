"""Measures: a seed of Kuhn poker in a process of its own, timed; the ladder; raw facts, one JSON each."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.league.kuhn import KuhnSettings, learnt
from benchmarks.league.ladder import PAIRINGS, climb
from kit.timing.prediction import this_machine

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (0, 1, 2)
Facts = dict[str, Any]


def stamped(facts: Callable[[], Facts], name: str, seed: int) -> Facts:
    """Return what ``facts`` finds out, with its name, where and when that was, and the seconds that it took."""
    today, began = datetime.datetime.now(datetime.UTC).date().isoformat(), time.perf_counter()
    found = facts()
    wall_s = time.perf_counter() - began
    return {"name": name, "seed": seed, "date": today, "machine": this_machine(), "wall_s": wall_s, **found}


def one_seed(seed: int, settings: KuhnSettings) -> Facts:
    """Learn with one seed, here, in a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="league-") as room:
        facts = stamped(lambda: learnt(Path(room), seed, settings), "kuhn", seed)
    return facts | {"settings": asdict(settings)}


def all_of_it(
    folder: Path, settings: KuhnSettings, processes: int, seeds: Iterable[int] = SEEDS
) -> list[Facts]:
    """Measure everything, so many processes at a time, and keep the facts in ``folder``.

    Raises:
        subprocess.CalledProcessError: a seed failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(processes) as threads:
        found = list(threads.map(lambda seed: _elsewhere(seed, folder, settings), seeds))
    for seed in seeds:
        for pairing in PAIRINGS:
            facts = stamped(partial(climb, seed, pairing=pairing), f"ladder-{pairing}", seed)
            found.append(_kept(facts, folder))
    return found


def _elsewhere(seed: int, folder: Path, settings: KuhnSettings) -> Facts:
    """Learn with one seed in a process of its own, with one thread: two on one core are far slower than one."""
    words = [sys.executable, "-m", "benchmarks.league.one_seed", str(seed), json.dumps(asdict(settings))]
    with tempfile.TemporaryDirectory(prefix="league-cache-") as cache:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": cache}
        done = subprocess.run(words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    facts: Facts = json.loads(done.stdout.splitlines()[-1])
    average, last = facts["average"][-1], facts["last"][-1]
    print(
        f"Kuhn poker, seed {seed}: average {average:.3f}, last {last:.3f}, {facts['wall_s']:.0f} s",
        file=sys.stderr,
        flush=True,
    )
    return _kept(facts, folder)


def _kept(facts: Facts, folder: Path) -> Facts:
    (folder / f"{facts['name']}-{facts['seed']}.json").write_text(json.dumps(facts, indent=1) + "\n")
    return facts


def read_facts(folder: Path) -> list[Facts]:
    """Return the facts in a folder, by name."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
