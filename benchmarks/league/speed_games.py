"""Games per second of each game, on one core and on two: at random, by its library, and with the tiny model."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.league.speed_play import OURS, engine, library, with_model
from benchmarks.league.speed_player import GAMES
from benchmarks.league.speed_rows import Row, row
from benchmarks.league.speed_size import Size

Play = Callable[[], tuple[int, float]]
CORES = 2
UNIT = "games/s"


def measure(size: Size, model: Path) -> list[Row]:
    """Return games per second, wall time: one process with one thread on one core, two on two."""
    rows = []
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        for env_id in GAMES:
            ours = partial(engine, env_id, size.block_s)
            theirs = partial(library, env_id, size.block_s)
            asked = partial(with_model, env_id, size.block_s, model, size.in_flight)
            rows += _of(pool, env_id, ours, theirs, size.repeats)
            rows += _of(pool, f"{env_id}, tiny model", asked, None, min(3, size.repeats))
    return rows


def _of(pool: ProcessPoolExecutor, name: str, ours: Play, theirs: Play | None, repeats: int) -> list[Row]:
    plays = [(ours, 1), (ours, CORES)] + ([(theirs, 1)] if theirs else [])
    for play, _ in plays:
        _rate(pool, play, CORES)  # both processes have loaded everything then
    rates: list[list[float]] = [[] for _ in plays]
    for _ in range(repeats):
        for found, (play, cores) in zip(rates, plays, strict=True):
            found.append(_rate(pool, play, cores))
    one, two, *library_s = (statistics.median(found) for found in rates)
    against, ratio = "", None
    if library_s:
        who = "open_spiel, in C++" if name == OURS else "TextArena by itself"
        against, ratio = f"{who}: {library_s[0]:,.0f}", one / library_s[0]
    return [
        row(f"{name}, one core", one, UNIT, against, ratio),
        row(f"{name}, two cores", two, UNIT, f"one core: {one:,.0f}", two / one),
    ]


def _rate(pool: ProcessPoolExecutor, play: Play, cores: int) -> float:
    """Return the games per second of so many processes at a time, added up."""
    jobs = [pool.submit(play) for _ in range(cores)]
    return sum(games / seconds for games, seconds in (job.result() for job in jobs))
