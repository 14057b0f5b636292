"""Measures the longer games: each seed in a process of its own, timed; raw facts, one JSON each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks.league.long_learning import learnt
from benchmarks.league.long_settings import LongSettings
from benchmarks.league.measuring import ROOT, Facts, stamped

Job = tuple[LongSettings, int]
"""What is learnt, with which seed."""


def one_job(settings: LongSettings, seed: int) -> Facts:
    """Learn with one seed, here, in a folder that is thrown away."""
    began = time.process_time()
    with tempfile.TemporaryDirectory(prefix="league-long-") as room:
        facts = stamped(lambda: learnt(Path(room), seed, settings), "long", seed)
    own = {"game": settings.env_id, "settings": asdict(settings), "cpu_s": time.process_time() - began}
    return facts | own


def all_jobs(jobs: Sequence[Job], folder: Path, processes: int) -> list[Facts]:
    """Do so many jobs at a time, the longest to be given first, and keep their facts in ``folder``.

    Raises:
        subprocess.CalledProcessError: one failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(processes) as threads:
        return list(threads.map(lambda job: _elsewhere(*job, folder), jobs))


def _elsewhere(settings: LongSettings, seed: int, folder: Path) -> Facts:
    """Learn in a process of its own, with one thread."""
    words = [sys.executable, "-m", "benchmarks.league.long_one_seed", str(seed), json.dumps(asdict(settings))]
    with tempfile.TemporaryDirectory(prefix="league-cache-") as cache:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": cache}
        done = subprocess.run(words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    facts: Facts = json.loads(done.stdout.splitlines()[-1])
    print(f"{settings.env_id}, seed {seed}: {facts['wall_s']:.0f} s", file=sys.stderr, flush=True)
    (folder / f"{settings.env_id}-{seed}.json").write_text(json.dumps(facts, indent=1) + "\n")
    return facts


def missing(facts: Sequence[Facts], wanted: Mapping[str, LongSettings], seeds: Sequence[int]) -> list[str]:
    """Return why these facts are not the whole benchmark; nothing where they are."""
    there = {(one["game"], one["seed"]): one for one in facts}
    found = []
    for env_id, settings in wanted.items():
        for seed in seeds:
            one = there.get((env_id, seed))
            if one is None:
                found.append(f"{env_id} of seed {seed} is not there")
            elif one["settings"] != json.loads(json.dumps(asdict(settings))):
                found.append(f"{env_id} of seed {seed} was learnt with other settings")
            elif one["status"] != "complete":
                found.append(f"{env_id} of seed {seed} is {one['status']}")
    return found
