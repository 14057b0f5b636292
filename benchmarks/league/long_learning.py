"""One seed of a longer game: a tiny model made here, warmed up on random games, learning by self-play."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.league.long_exact import GAME as TIC_TAC_TOE
from benchmarks.league.long_exact import figures
from benchmarks.league.long_matches import Match, played
from benchmarks.league.long_monitor import WorthMonitor
from benchmarks.league.long_settings import LongSettings
from kit.league.player_recipe import tiny_player
from kit.league.run import Run
from kit.lm.language_model import LanguageModel

OPPONENTS: Mapping[str, tuple[str, ...]] = {
    TIC_TAC_TOE: ("random", "minimax"),
    "SimpleTak-v0": ("random", "scripted"),
}
"""By game, whom the policy is measured by at the end."""
TEMPERATURES = {"sampled": 1.0, "greedy": 0.0}
Row = dict[str, float]


def learnt(folder: Path, seed: int, settings: LongSettings) -> dict[str, Any]:
    """Make a model, have it learn in ``folder``, and return what came of it: curve, matches, exact figures."""
    model = tiny_player(folder / "model", settings.train_envs, settings.recipe(seed))
    run = settings.run(model, seed)
    exact = settings.env_id == TIC_TAC_TOE
    if exact:
        run.parts.monitors.append(WorthMonitor(run.parts.lm, settings.look_every))
    warm = figures(run.parts.lm, adapter=None) if exact else {}
    run.start(settings.updates, settings.workers, interface=False, out=str(folder / "run"))
    summary = run.wait()
    assert run.league is not None
    rows = read_rows(folder / "run" / "metrics.csv")
    lm, newest = run.parts.lm, newest_adapter(run)
    return {
        "status": summary["status"],
        "updates": run.league.iteration,
        "games": int(rows[-1]["train/games"]),
        "moves": int(rows[-1]["train/moves"]),
        "illegal": rows[-1]["train/illegal_rate"],
        "warm_up": warm,
        "curve": curve(rows),
        "matches": {
            "warm_up": matches(lm, None, seed, settings),
            "last": matches(lm, newest, seed, settings),
        },
    }


def matches(lm: LanguageModel, adapter: Path | None, seed: int, settings: LongSettings) -> dict[str, Any]:
    """Return games won, drawn and lost by side, opponent and how moves are drawn; ``adapter`` None: without one."""
    return {
        opponent: {
            how: played(
                lm,
                adapter,
                Match(settings.env_id, opponent, settings.matches, temperature, settings.max_tokens, seed),
            )
            for how, temperature in TEMPERATURES.items()
        }
        for opponent in OPPONENTS[settings.env_id]
    }


def newest_adapter(run: Run) -> Path:
    """Return the folder of the policy as it is at the end of a run."""
    assert run.league is not None
    registry = run.league.parts.registry
    path = registry.entry(registry.current).path
    assert path is not None
    return run.league.shelf.root / path


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a metrics.csv, numbers only."""
    with path.open(newline="") as file:
        return [{name: _number(value) for name, value in row.items()} for row in csv.DictReader(file)]


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def curve(rows: list[Row]) -> list[Row]:
    """Return the updates after which the policy was measured, with the games so far and what was found."""
    found = []
    for number, row in enumerate(rows, 1):
        measured = {
            name: value for name, value in row.items() if name.startswith("eval_") and not math.isnan(value)
        }
        if measured:
            found.append({"update": number, "games": row["train/games"], **measured})
    return found
