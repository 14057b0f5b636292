"""Assembly: the boxes of a league, made from what ``build()`` was told."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from kit.errors import ContextLengthError
from kit.league.actor import Actor
from kit.league.build_settings import POOLED, RAY, BuildSettings
from kit.league.collector import Collector, Workers
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.episode_buffer import EpisodeBuffer
from kit.league.game_pool import GamePool
from kit.league.game_scheduler import GameScheduler
from kit.league.games.kuhn import ENV_ID as KUHN
from kit.league.games.registry import make_game
from kit.league.games.textarena_library import stem
from kit.league.kuhn_monitor import KuhnMonitor
from kit.league.league import League, LeagueParts, LeagueSettings, Monitor
from kit.league.learners import A2C, BaseLearner, LearnerSettings, learner_class
from kit.league.learners.base import EPISODES, POLICY
from kit.league.local import LocalPool
from kit.league.model_registry import ModelRegistry
from kit.league.opponents.registry import make_opponent
from kit.league.play_settings import PlaySettings
from kit.league.prompt_templates import BARE, find_template
from kit.league.ray_backend import RayPool, RaySettings
from kit.league.reward_transforms import (
    ComposeFinalRewardTransforms,
    ComposeSamplingRewardTransforms,
    ComposeStepRewardTransforms,
    NormalizeRewardsByEnv,
    PenaltyForInvalidMove,
    RewardForFormat,
    RoleAdvantageByEnvFormatter,
    StepRewardTransform,
)
from kit.league.samplers import ENV_SAMPLERS, MODEL_SAMPLERS
from kit.league.samplers.pool import CHECKPOINTS
from kit.league.seeds import derived_seed
from kit.league.step_buffer import StepBuffer
from kit.league.tracker import Tracker
from kit.lm.backend import Backend
from kit.lm.language_model import LanguageModel
from kit.lm.transformers_backend import TransformersBackend

EVAL_WORKERS = 16
"""Games of an evaluation in flight, where nobody says how many."""
BASE = "base"
"""The model as it was loaded, as the registry calls it."""


class Assembly:
    """Loads the model, and makes everything that does not depend on where and how wide the league is played.

    Raises:
        UsageError: no such model, game, opponent or LoRA target; a setting out of range.
        ContextLengthError: an answer of ``max_generation_len`` does not fit into the model's context.
        MissingDependencyError: an optional library is not installed.
    """

    def __init__(self, settings: BuildSettings, ray_settings: RaySettings | None = None) -> None:
        self.settings, self._ray_settings = settings, ray_settings
        algorithm = learner_class(settings.algorithm)
        specs: list[TrainEnvSpec | EvalEnvSpec] = [*settings.train_envs, *settings.eval_envs]
        for spec in specs:
            make_game(spec.env_id, spec.num_players).reset(0)
        for name in settings.opponents:
            make_opponent(name)
        for name, spec in settings.encounters:
            _ask_once(name, spec)
        self.lm = self._model()
        self.learner = self._learner(algorithm)
        self.tracker = Tracker(window=max(100, settings.eval_games))
        self.registry = ModelRegistry()
        self.registry.add_checkpoint(BASE, None, 0)
        for name in settings.opponents:
            self.registry.add_fixed(name)
        self.scheduler = self._scheduler()
        self.buffer = self._buffer()
        self._last_pool: GamePool | None = None

    def league(self, root: Path, workers: Workers, eval_workers: int = EVAL_WORKERS) -> League:
        """Return the league, with its adapters below ``root``; one that was made before is not to be played on."""
        if self._last_pool is not None:
            self._last_pool.close()
        pool = self._last_pool = self._pool(root.resolve())
        collector = Collector(self.scheduler, self.buffer, self.registry, self.tracker, pool)
        parts = LeagueParts(
            self.scheduler,
            collector,
            self.buffer,
            self.learner,
            self.registry,
            self.tracker,
            partial(self.lm.save_adapter, name=POLICY),
            self._monitors(),
        )
        settings = self.settings
        how = LeagueSettings(
            settings.batch_size, workers, settings.eval_every, settings.eval_games, eval_workers
        )
        league = League(parts, how, root)
        far = [name for name in settings.opponents if make_opponent(name).network]
        if settings.backend == RAY:
            league.inexact = (
                "games are played in other processes, whose last bits are not promised to be the same"
            )
        if far:
            league.inexact = f"{', '.join(far)} answers over a network, and not the same twice"
        return league

    def _model(self) -> LanguageModel:
        settings = self.settings
        lm = LanguageModel.load(settings.model_name)
        if settings.max_tokens >= lm.context:
            raise ContextLengthError(
                f"Answers of up to {settings.max_tokens} tokens leave no room for a prompt in the {lm.context} "
                f"tokens of {lm.name}'s context: set max_generation_len lower."
            )
        lm.adapt(settings.lora, POLICY, seed=derived_seed(settings.seed, "adapter"))
        return lm

    def _learner(self, algorithm: type[BaseLearner]) -> BaseLearner:
        settings = self.settings
        learner = algorithm(
            self.lm,
            LearnerSettings(
                batch_size=settings.batch_size,
                mini_batch_size=settings.mini_batch_size,
                learning_rate=settings.learning_rate,
                gradient_clipping=settings.gradient_clipping,
                activation_checkpointing=settings.activation_checkpointing,
                gradient_checkpointing=settings.gradient_checkpointing,
                seed=derived_seed(settings.seed, "learner"),
            ),
        )
        own: dict[str, Any] = {"critic_lora": settings.lora} if issubclass(algorithm, A2C) else {}
        lengths = {"max_train_len": settings.max_train_len, "max_generation_len": settings.max_generation_len}
        learner.initialize_algorithm(**{**lengths, **own, **settings.algorithm_config})
        return learner

    def _scheduler(self) -> GameScheduler:
        settings, registry = self.settings, self.registry
        env_sampler = ENV_SAMPLERS[settings.env_sampling_strategy](
            settings.train_envs, settings.eval_envs, **settings.env_sampling_config
        )
        more = dict(settings.opponent_sampling_config)
        if settings.opponent_sampling_strategy == "fixed":
            more = {"names": settings.fixed_opponents, **more}
        elif settings.opponent_sampling_strategy in POOLED:
            more = {"opponents": CHECKPOINTS, **more}  # whom one is measured by is nobody to learn from
        sampler = MODEL_SAMPLERS[settings.opponent_sampling_strategy](registry, **more)
        return GameScheduler(derived_seed(settings.seed, "games"), env_sampler, sampler, registry)

    def _buffer(self) -> StepBuffer | EpisodeBuffer:
        """Return the buffer of the learner's kind, with the transforms that were given, or those that suit it.

        A learner of episodes sums rewards along them: what every step of a good game would get, a bonus or a share of a
        mean taken off, would count once a step, and losing slowly would pay. So a well-formed legal step brings 0
        there, with the same distance to one that is not, and a batch is left as it is.
        """
        settings, transforms = self.settings, self.settings.transforms
        episodes = self.learner.batch_of == EPISODES
        kind = EpisodeBuffer if episodes else StepBuffer
        steps: list[StepRewardTransform] = (
            [RewardForFormat(0.0, -1.5), PenaltyForInvalidMove(0.0, -2.0)]
            if episodes
            else [RewardForFormat(1.5), PenaltyForInvalidMove(1.0, -1.0)]
        )
        return kind(
            settings.capacity,
            seed=derived_seed(settings.seed, "buffer"),
            final_reward_transformation=transforms.final
            or ComposeFinalRewardTransforms([RoleAdvantageByEnvFormatter()]),
            step_reward_transformation=transforms.step or ComposeStepRewardTransforms(steps),
            sampling_reward_transformation=transforms.sampling
            or ComposeSamplingRewardTransforms([] if episodes else [NormalizeRewardsByEnv(True)]),
        )

    def _pool(self, root: Path) -> GamePool:
        settings = self.settings
        play = PlaySettings(
            make_game, make_opponent, find_template, root, settings.temperature, settings.max_tokens
        )
        rows, adapters = settings.most_rows, settings.most_adapters
        if settings.backend == RAY:
            make = partial(_backend_in_a_worker, settings.model_name, rows, adapters)
            return RayPool(make, play, self._ray_settings, self.tracker)
        backend = TransformersBackend(self.lm, most_rows=rows, most_adapters=adapters)
        return LocalPool([Actor(backend, gauge=self.tracker)], play)

    def _monitors(self) -> tuple[Monitor, ...]:
        """Return what looks at each new policy: where Kuhn poker is learnt with bare answers, how exploitable it is."""
        return tuple(
            KuhnMonitor(
                self.lm,
                find_template(spec.prompt_template),
                adapter=POLICY,
                temperature=self.settings.temperature,
            )
            for spec in self.settings.train_envs[:1]
            if _scored(spec)
        )


def _ask_once(name: str, spec: TrainEnvSpec | EvalEnvSpec) -> None:
    """Let an opponent without a network make a first move; raises UsageError where it cannot play that game."""
    opponent = make_opponent(name)
    if not opponent.network:
        game = make_game(spec.env_id, spec.num_players)
        game.reset(0)
        opponent.act(game, 0)


def _scored(spec: TrainEnvSpec) -> bool:
    return stem(spec.env_id) == KUHN and find_template(spec.prompt_template).form == BARE


def _backend_in_a_worker(model_name: str, most_rows: int, most_adapters: int) -> Backend:
    """Return the backend of a ray actor, which loads the model for itself."""
    return TransformersBackend(
        LanguageModel.load(model_name), most_rows=most_rows, most_adapters=most_adapters
    )
