"""LongSettings: how a longer game is learnt; the same for every seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.player_recipe import PlayerRecipe
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


@dataclass(frozen=True)
class LongSettings:
    """How a game is learnt.

    Attributes:
        env_id: which.
        updates: of the policy.
        max_tokens: of an answer. One is enough for a cell of tic-tac-toe: no stop token has to be drawn.
        look_every: updates between two looks at how good the policy is.
        look_games: games of a look; 0: it needs none.
        matches: games of each match at the end.
        batch_size: moves of an update.
        workers: games in flight.
        mini_batch_size: moves that go through the model together.
        learning_rate: of AdamW.
        gradient_clipping: norm.
        kl_coefficient: reward a nat away from the warmed-up model, see Anchor.
        rank: of the adapter.
        hidden: width of the model.
        layers: of the model.
        warm_up_games: random ones.
        warm_up_steps: on their moves.
        warm_up_rate: learning rate of those.
    """

    env_id: str
    updates: int
    max_tokens: int
    look_every: int = 25
    look_games: int = 0
    matches: int = 200
    batch_size: int = 1024
    workers: int = 140
    mini_batch_size: int = 256
    learning_rate: float = 1e-3
    gradient_clipping: float = 0.5
    kl_coefficient: float = 0.05
    rank: int = 16
    hidden: int = 64
    layers: int = 2
    warm_up_games: int = 800
    warm_up_steps: int = 250
    warm_up_rate: float = 4e-3

    @property
    def mirror(self) -> TrainEnvSpec:
        """The game against oneself."""
        return TrainEnvSpec(self.env_id, num_players=2, num_actors=2, prompt_template=COMPACT.name)

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
        return PlayerRecipe(
            self.warm_up_games, self.warm_up_steps, learning_rate=self.warm_up_rate, seed=seed, shape=shape
        )

    def run(self, model: Path, seed: int) -> Run:
        """Return the league."""
        measured = EvalEnvSpec(self.env_id, 2, COMPACT.name, "random")
        return build(
            model_name=str(model),
            train_envs=[self.mirror],
            eval_envs=[measured] if self.look_games else None,
            algorithm="reinforce",
            algorithm_config={"kl_coefficient": self.kl_coefficient},
            max_generation_len=self.max_tokens,
            batch_size=self.batch_size,
            mini_batch_size=self.mini_batch_size,
            buffer_size=self.batch_size,
            learning_rate=self.learning_rate,
            gradient_clipping=self.gradient_clipping,
            activation_checkpointing=False,
            gradient_checkpointing=False,
            lora_config={"lora_rank": self.rank, "lora_alpha": self.rank},
            vllm_config={"temperature": 1.0, "max_parallel_seq": 512},
            final_reward_transformation=ComposeFinalRewardTransforms([RoleAdvantageByEnvFormatter()]),
            step_reward_transformation=ComposeStepRewardTransforms([PenaltyForInvalidMove(0.0, -1.0)]),
            sampling_reward_transformation=ComposeSamplingRewardTransforms([NormalizeRewards()]),
            seed=seed,
            eval_every=self.look_every if self.look_games else 0,
            eval_games=self.look_games,
        )


TIC_TAC_TOE = LongSettings("TicTacToe-v0", updates=400, max_tokens=1)
TAK = LongSettings("SimpleTak-v0", updates=60, max_tokens=3, look_every=15, look_games=200)
