"""Games for so many seconds, in a process of its own: by the kit's engine, a library's, or with the model."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.league.speed_legal import LegalMoves
from benchmarks.league.speed_player import load_player
from benchmarks.league.speed_prompts import Endless
from kit.league.games.registry import make_game
from kit.league.opponents.random_legal import RandomLegal
from kit.league.prompt_templates import COMPACT
from kit.lm.transformers_backend import TransformersBackend

OURS = "Kuhn-v0"
"""The one game that is not TextArena's; open_spiel has it too."""


def engine(env_id: str, seconds: float) -> tuple[int, float]:
    """Play at random with the kit's game; return how many games in how many seconds."""
    opponent = RandomLegal()

    def game(number: int) -> None:
        one = make_game(env_id)
        one.reset(number)
        move = 0
        while not one.over:
            move += 1
            one.step(opponent.act(one, number * 100 + move))

    return counted(game, seconds)


def library(env_id: str, seconds: float) -> tuple[int, float]:
    """Play at random with the library itself, as one would write it: one environment for all games."""
    return counted(_open_spiel() if env_id == OURS else _textarena(env_id), seconds)


def _open_spiel() -> Callable[[int], None]:
    import pyspiel

    kuhn = pyspiel.load_game("kuhn_poker")

    def game(number: int) -> None:
        state, generator = kuhn.new_initial_state(), random.Random(number)
        while not state.is_terminal():
            state.apply_action(generator.choice(state.legal_actions()))
        state.returns()

    return game


def _textarena(env_id: str) -> Callable[[int], None]:
    import textarena

    env = textarena.make(f"{env_id}-train")

    def game(number: int) -> None:
        generator = random.Random(number)
        env.reset(num_players=2, seed=number)
        done = False
        while not done:
            env.get_observation()
            done, _ = env.step(f"[{generator.choice(_legal(env.state.game_state))}]")
        env.close()

    return game


def _legal(state: dict[str, Any]) -> list[str]:
    if "board" not in state:
        return list(state["current_legal_action_tree"])
    cells = [cell for row in state["board"] for cell in row]
    return [str(number) for number, cell in enumerate(cells) if not cell]


@cache
def _backend(model: Path) -> TransformersBackend:
    return TransformersBackend(load_player(model))


def with_model(env_id: str, seconds: float, model: Path, in_flight: int) -> tuple[int, float]:
    """Have the model answer, so many games at a time; a round that has begun is finished, and moves are legal."""
    games = Endless(LegalMoves(_backend(model)), env_id, COMPACT.name, in_flight)
    for _ in range(5):
        games.round()
    found, began = 0, time.perf_counter()
    while not found or time.perf_counter() - began < seconds:
        found += len(games.round())
    took_s = time.perf_counter() - began
    games.pool.close()
    return found, took_s


def counted(game: Callable[[int], None], seconds: float) -> tuple[int, float]:
    """Return how many games were played in how many seconds, the last of them to its end."""
    number, began = 0, time.perf_counter()
    while not number or time.perf_counter() - began < seconds:
        game(number)
        number += 1
    return number, time.perf_counter() - began
