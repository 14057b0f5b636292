"""LongSettings: how a longer game is learnt; the same for every seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.league.long_template import MARKS
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.player_recipe import PlayerRecipe
from kit.league.reward_transforms import (
    ComposeFinalRewardTransforms,
    ComposeSamplingRewardTransforms,
    ComposeStepRewardTransforms,
    NormalizeRewards,
    PenaltyForInvalidMove,
    PromptValue,
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
        against_random: share of the games of training that are against random legal moves, the others against oneself.
        look_every: updates between two looks at how good the policy is.
        look_games: games of a look; 0: it needs none.
        matches: games of each match at the end.
        batch_size: moves of an update.
        workers: games in flight.
        mini_batch_size: moves that go through the model together.
        learning_rate: of AdamW at first.
        halved_after: updates after which it is half of that.
        gradient_clipping: norm.
        entropy_coefficient: reward a nat of entropy, see PolicyGradient.
        lam: how far advantages trust how games end, see PromptValue.
        rank: of the adapter.
        alpha: of the adapter: what it adds is scaled by alpha / rank.
        hidden: width of the model.
        feed_forward: width of its blocks' inside, relative to that.
        layers: of the model.
        warm_up_games: random ones.
        warm_up_steps: on their moves and endings.
        warm_up_batch: of them in each.
        warm_up_rate: learning rate of those.
    """

    env_id: str
    updates: int
    max_tokens: int
    against_random: float = 0.5
    look_every: int = 25
    look_games: int = 0
    matches: int = 200
    batch_size: int = 1024
    workers: int = 200
    mini_batch_size: int = 256
    learning_rate: float = 1e-3
    halved_after: float = 300.0
    gradient_clipping: float = 0.5
    entropy_coefficient: float = 0.06
    lam: float = 0.8
    rank: int = 16
    alpha: int = 64
    hidden: int = 64
    feed_forward: int = 3
    layers: int = 2
    warm_up_games: int = 3000
    warm_up_steps: int = 700
    warm_up_batch: int = 128
    warm_up_rate: float = 4e-3

    @property
    def train_envs(self) -> list[TrainEnvSpec]:
        """The game against oneself, and against whoever moves at random."""
        return [TrainEnvSpec(self.env_id, 2, actors, MARKS.name) for actors in (2, 1)]

    def recipe(self, seed: int) -> PlayerRecipe:
        """Return how the model is made and warmed up."""
        shape = TinySettings(
            hidden=self.hidden,
            layers=self.layers,
            heads=2,
            feed_forward=self.feed_forward * self.hidden,
            context=64,
            spread=self.hidden**-0.5,
            seed=seed,
        )
        return PlayerRecipe(
            games=self.warm_up_games,
            steps=self.warm_up_steps,
            batch=self.warm_up_batch,
            learning_rate=self.warm_up_rate,
            endings=True,
            seed=seed,
            shape=shape,
        )

    def run(self, model: Path, seed: int) -> Run:
        """Return the league."""
        return build(
            model_name=str(model),
            train_envs=self.train_envs,
            eval_envs=[EvalEnvSpec(self.env_id, 2, MARKS.name, "random")] if self.look_games else None,
            env_sampling_strategy="weighted",
            env_sampling_config={"weights": [1.0 - self.against_random, self.against_random]},
            opponent_sampling_strategy="fixed",
            fixed_opponents=["random"],
            algorithm="reinforce",
            algorithm_config={
                "entropy_coefficient": self.entropy_coefficient,
                "halved_after": self.halved_after,
            },
            max_generation_len=self.max_tokens,
            batch_size=self.batch_size,
            mini_batch_size=self.mini_batch_size,
            buffer_size=self.batch_size,
            learning_rate=self.learning_rate,
            gradient_clipping=self.gradient_clipping,
            activation_checkpointing=False,
            gradient_checkpointing=False,
            lora_config={"lora_rank": self.rank, "lora_alpha": self.alpha},
            vllm_config={"temperature": 1.0, "max_parallel_seq": 512},
            final_reward_transformation=ComposeFinalRewardTransforms([RoleAdvantageByEnvFormatter()]),
            step_reward_transformation=ComposeStepRewardTransforms(
                [PromptValue(self.lam), PenaltyForInvalidMove(0.0, -1.0)]
            ),
            sampling_reward_transformation=ComposeSamplingRewardTransforms([NormalizeRewards()]),
            seed=seed,
            eval_every=self.look_every if self.look_games else 0,
            eval_games=self.look_games,
        )


TIC_TAC_TOE = LongSettings("TicTacToe-v0", updates=320, max_tokens=1)
TAK = LongSettings(
    "SimpleTak-v0",
    updates=60,
    max_tokens=3,
    look_every=15,
    look_games=200,
    workers=120,
    learning_rate=1.5e-3,
    halved_after=100.0,
    warm_up_games=1000,
    warm_up_steps=400,
)
