"""One seed of Kuhn poker: a tiny model made here, warmed up on random games, learning from nothing but self-play."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.league.env_specs import TrainEnvSpec
from kit.league.exploitability import exploitability
from kit.league.kuhn_monitor import KuhnMonitor
from kit.league.model_registry import FIXED
from kit.league.player_recipe import PlayerRecipe, tiny_player
from kit.league.prompt_templates import COMPACT
from kit.league.reward_transforms import (
    ComposeFinalRewardTransforms,
    ComposeSamplingRewardTransforms,
    ComposeStepRewardTransforms,
    NormalizeRewards,
    PenaltyForInvalidMove,
    RoleAdvantageByEnvFormatter,
)
from kit.league.run import Run
from kit.league.runtime import build
from kit.lm.tiny import TinySettings

ENV = TrainEnvSpec("Kuhn-v0", num_players=2, num_actors=2, prompt_template=COMPACT.name)
ASKED = 0.10
"""Chips a hand that the average policy may be exploited by, at most."""
AVERAGE, LAST = "eval_exploitability_of_average", "eval_exploitability"


@dataclass(frozen=True)
class KuhnSettings:
    """How it is learnt; the same for every seed.

    Attributes:
        updates: of the policy.
        batch_size: moves in each.
        workers: games in flight.
        learning_rate: of AdamW.
        gradient_clipping: norm, about twice the usual one: without momentum a spike is a leap.
        kl_coefficient: chips a nat away from the warmed-up model, see Anchor.
        rank: of the adapter.
        hidden: width of the model.
        layers: of the model.
        warm_up_games: random ones.
        warm_up_steps: on their moves.
    """

    updates: int = 500
    batch_size: int = 384
    workers: int = 192
    learning_rate: float = 2e-3
    gradient_clipping: float = 0.1
    kl_coefficient: float = 0.15
    rank: int = 16
    hidden: int = 64
    layers: int = 2
    warm_up_games: int = 300
    warm_up_steps: int = 300

    def recipe(self, seed: int) -> PlayerRecipe:
        """Return how the model is made and warmed up."""
        shape = TinySettings(
            hidden=self.hidden,
            layers=self.layers,
            heads=2,
            feed_forward=2 * self.hidden,
            context=64,
            spread=self.hidden**-0.5,
            seed=seed,
        )
        return PlayerRecipe(games=self.warm_up_games, steps=self.warm_up_steps, seed=seed, shape=shape)

    def run(self, model: Path, seed: int) -> Run:
        """Return the league."""
        return build(
            model_name=str(model),
            train_envs=[ENV],
            algorithm="reinforce",
            algorithm_config={"kl_coefficient": self.kl_coefficient, "momentum": 0.0},
            max_generation_len=4,
            batch_size=self.batch_size,
            mini_batch_size=self.batch_size,
            buffer_size=self.batch_size,
            learning_rate=self.learning_rate,
            gradient_clipping=self.gradient_clipping,
            activation_checkpointing=False,
            gradient_checkpointing=False,
            lora_config={"lora_rank": self.rank, "lora_alpha": self.rank},
            vllm_config={"temperature": 1.0, "max_parallel_seq": self.workers},
            final_reward_transformation=ComposeFinalRewardTransforms([RoleAdvantageByEnvFormatter()]),
            step_reward_transformation=ComposeStepRewardTransforms([PenaltyForInvalidMove(0.0, -1.0)]),
            sampling_reward_transformation=ComposeSamplingRewardTransforms([NormalizeRewards()]),
            seed=seed,
        )


def learnt(folder: Path, seed: int, settings: KuhnSettings) -> dict[str, Any]:
    """Make a model, have it learn in ``folder``, and return what came of it, update by update."""
    model = tiny_player(folder / "model", [ENV], settings.recipe(seed))
    run = settings.run(model, seed)
    run.start(settings.updates, settings.workers, interface=False, out=str(folder / "run"))
    summary = run.wait()
    assert run.league is not None
    parts = run.league.parts
    [monitor] = (one for one in parts.monitors if isinstance(one, KuhnMonitor))
    with (folder / "run" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    players = parts.registry.view()["players"]
    return {
        "status": summary["status"],
        "updates": run.league.iteration,
        "warm_up": exploitability(monitor.first),
        "average": [float(row[AVERAGE]) for row in rows],
        "last": [float(row[LAST]) for row in rows],
        "illegal": float(rows[-1]["train/illegal_rate"]),
        "staleness": float(rows[-1]["learner/staleness"]),
        "games": int(float(rows[-1]["train/games"])),
        "mus": [one["mu"] for one in players if one["iteration"] != FIXED],
        "policy": monitor.policy,
    }
