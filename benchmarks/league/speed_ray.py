"""Games per second over ray, with one worker and with two, beside the same games in this process."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from benchmarks.league.speed_legal import LegalMoves
from benchmarks.league.speed_prompts import mirror, play_settings
from benchmarks.league.speed_rows import Row, row
from benchmarks.league.speed_size import Size
from kit.league.actor import Actor
from kit.league.game_pool import GamePool
from kit.league.local import LocalPool
from kit.league.prompt_templates import COMPACT
from kit.league.ray_backend import RayPool, RaySettings, import_ray

GAME = "TicTacToe-v0"
WORKERS = (1, 2)


def measure(size: Size, model: Path) -> list[Row]:
    """Return games per second of wall time, with a policy that takes none; what a game costs more over ray."""
    del model
    ray = import_ray()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=1 + sum(WORKERS), include_dashboard=False, log_to_driver=False, configure_logging=False)
    settings = play_settings(COMPACT.name)
    pools: list[GamePool] = [LocalPool([Actor(LegalMoves())], settings)]
    pools += [RayPool(LegalMoves, settings, RaySettings(workers)) for workers in WORKERS]
    try:
        seconds = _seconds(pools, size)
    finally:
        for pool in pools:
            pool.close()
        ray.shutdown()
    local, *far = seconds
    rows = [row(f"{GAME}, scripted, in this process", 1 / local, "games/s", "", None)]
    for workers, one in zip(WORKERS, far, strict=True):
        name = f"{GAME}, scripted, ray with {workers} worker{'s' if workers > 1 else ''}"
        more = f"{(one - local) * 1e6:+,.0f} µs a game"
        rows.append(row(name, 1 / one, "games/s", f"in this process: {1 / local:,.0f}; {more}", local / one))
    return rows


def _seconds(pools: list[GamePool], size: Size) -> list[float]:
    """Return the median seconds of a game in each pool, which take turns; the first turn does not count."""
    taken: list[list[float]] = [[] for _ in pools]
    for repeat in range(1 + size.repeats):
        for found, pool in zip(taken, pools, strict=True):
            one = _game_s(pool, size)
            found += [one] if repeat else []
    return [statistics.median(found) for found in taken]


def _game_s(pool: GamePool, size: Size) -> float:
    """Return the seconds of a game in lots of as many as are in flight, played for so many seconds."""
    games, began = 0, time.perf_counter()
    while not games or time.perf_counter() - began < size.block_s:
        pool.start([mirror(number, GAME, COMPACT.name) for number in range(size.in_flight)])
        left = size.in_flight
        while left:
            left -= len(pool.round())
        games += size.in_flight
    return (time.perf_counter() - began) / games
