"""Collector overhead: what of the time of a collection is not the model's."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.league.speed_legal import LegalMoves
from benchmarks.league.speed_player import VERBOSE_GAMES, load_player, specs_of
from benchmarks.league.speed_prompts import play_settings
from benchmarks.league.speed_rows import Row, row
from benchmarks.league.speed_size import Size
from kit.league.actor import Actor
from kit.league.collector import Collector, Workers
from kit.league.game_scheduler import GameScheduler
from kit.league.local import LocalPool
from kit.league.model_registry import ModelRegistry
from kit.league.prompt_templates import COMPACT, QWEN3_ZS
from kit.league.samplers import MirrorModelSampler, UniformRandomEnvSampler
from kit.league.step_buffer import StepBuffer
from kit.league.tracker import Tracker
from kit.lm.backend import Backend
from kit.lm.generation import Generation, Request
from kit.lm.transformers_backend import TransformersBackend

ASKED = 0.10
"""Of the model's time, at most."""


class Timed:
    """A backend that counts another's CPU-seconds, and its answers; moves are legal, whatever those were."""

    def __init__(self, backend: Backend) -> None:
        self._backend, self._moves = backend, LegalMoves()
        self.spent_s, self.answers, self.apart_s = 0.0, 0, 0.0

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer."""
        began = time.process_time()
        answers = self._backend.generate(requests)
        answered = time.process_time()
        self.spent_s += answered - began
        self.answers += len(answers)
        moves = self._moves.generate(requests)
        legal = [replace(one, text=move.text) for one, move in zip(answers, moves, strict=True)]
        self.apart_s += time.process_time() - answered
        return legal

    def forget(self, adapter: str) -> None:
        """Drop what is kept of an adapter."""
        self._backend.forget(adapter)


def measure(size: Size, model: Path) -> list[Row]:
    """Return the overhead of each game in each form."""
    kinds = [(env_id, name) for name in (QWEN3_ZS.name, COMPACT.name) for env_id in VERBOSE_GAMES]
    return [_overhead(size, model, *kind) for kind in kinds]


def _overhead(size: Size, model: Path, env_id: str, template: str) -> Row:
    backend = Timed(TransformersBackend(load_player(model)))
    collector, buffer = collecting(backend, env_id, template, size)
    shares, others = [], []
    for repeat in range(1 + size.repeats):
        backend.spent_s, backend.answers, backend.apart_s = 0.0, 0, 0.0
        began = time.process_time()
        collector.collect(size.batch)
        spent_s = time.process_time() - began - backend.apart_s
        buffer.sample(size.batch)
        if repeat:
            shares.append((spent_s - backend.spent_s) / backend.spent_s)
            others.append((spent_s - backend.spent_s) / backend.answers)
    share, other = statistics.median(shares), statistics.median(others)
    words = "in many words" if template == QWEN3_ZS.name else "compact"
    told = f"of the model's time, ≤ {ASKED:.0%} asked; {other * 1e6:,.0f} µs a move"
    return row(f"Collector, {env_id} {words}", 100 * share, "%", told, None, met=share <= ASKED)


def collecting(backend: Backend, env_id: str, template: str, size: Size) -> tuple[Collector, StepBuffer]:
    """Return a collector of games of the policy against itself, and the buffer that it fills."""
    registry, buffer = ModelRegistry(), StepBuffer(size.batch)
    registry.add_checkpoint("base", None, 0)
    envs = UniformRandomEnvSampler(specs_of([env_id], template))
    scheduler = GameScheduler(0, envs, MirrorModelSampler(registry), registry)
    pool = LocalPool([Actor(backend)], play_settings(template))
    collector = Collector(scheduler, buffer, registry, Tracker(), pool)
    collector.workers = Workers(size.in_flight)
    return collector, buffer
