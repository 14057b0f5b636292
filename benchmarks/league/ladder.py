"""The ladder: opponents without a network against each other, through scheduler, collector and registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from kit.errors import UsageError
from kit.league.actor import Actor
from kit.league.collector import Collector
from kit.league.draws import draw_weighted
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.game_scheduler import GameScheduler
from kit.league.game_spec import EVAL, GameSpec
from kit.league.games.registry import make_game
from kit.league.local import LocalPool
from kit.league.model_registry import ModelRegistry
from kit.league.opponents.registry import make_opponent
from kit.league.play_settings import PlaySettings
from kit.league.prompt_templates import COMPACT, find_template
from kit.league.samplers import MirrorModelSampler, UniformRandomEnvSampler
from kit.league.step_buffer import StepBuffer
from kit.league.tracker import Tracker
from kit.lm.generation import Generation, Request

GAME, GAMES = "TicTacToe-v0", 600
RUNGS = ("random", "scripted", "minimax")
"""From the weakest to the strongest, as the ratings are to have them."""


class Pairings(GameScheduler):
    """Games that measure, between two fixed opponents; every pair is as likely as any other."""

    def next_eval(self) -> GameSpec:
        """Return the next game; no policy is in it."""
        seed = self._next_seed(EVAL)
        spec = self.env_sampler.sample_eval(seed)
        pairs = list(combinations(self.registry.fixed, 2))
        pair = draw_weighted(pairs, [self.weight(*pair) for pair in pairs], seed, "pair")
        return self._made_of(spec, EVAL, seed, list(pair))

    def weight(self, one: str, other: str) -> float:
        """Return how often two meet, relative to others."""
        del one, other
        return 1.0


class EvenPairings(Pairings):
    """The same, by how even a match is by the ratings so far, as the league's match-quality sampler draws."""

    def weight(self, one: str, other: str) -> float:
        """Return the quality of the match."""
        return self.registry.quality(one, other)


PAIRINGS: Mapping[str, type[Pairings]] = {"even": EvenPairings, "all": Pairings}


class NoModel:
    """A backend for games without policies."""

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Refuse: nobody may ask."""
        raise UsageError(f"{len(requests)} prompts for a model, and there is none in these games.")

    def forget(self, adapter: str) -> None:
        """Keep on knowing nothing."""


def climb(seed: int, games: int = GAMES, pairing: str = "even") -> dict[str, Any]:
    """Play so many games and return the ratings, and who won, drew and lost against whom; ``pairing`` of PAIRINGS."""
    registry, tracker = ModelRegistry(), Tracker()
    train = TrainEnvSpec(GAME, 2, 1, COMPACT.name)
    measured = [EvalEnvSpec(GAME, 2, COMPACT.name, name) for name in RUNGS]
    sampler = UniformRandomEnvSampler([train], measured)
    scheduler = PAIRINGS[pairing](seed, sampler, MirrorModelSampler(registry), registry)
    pool = LocalPool([Actor(NoModel())], PlaySettings(make_game, make_opponent, find_template, Path()))
    collector = Collector(scheduler, StepBuffer(1), registry, tracker, pool)
    try:
        records = collector.evaluate(games, workers=16)
    finally:
        pool.close()
    return {
        "games": len(records),
        "broken": collector.faults.total,
        "ratings": {name: [registry.rating(name).mu, registry.rating(name).sigma] for name in RUNGS},
        "matches": {
            f"{one}-{other}": list(registry.matches.results(one, other))
            for one, other in combinations(RUNGS, 2)
        },
    }
