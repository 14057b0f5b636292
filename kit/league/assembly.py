"""Assembly: the boxes of a league, made from what ``build()`` was told."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from kit.league.build_settings import RAY, BuildSettings
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
from kit.league.match_settings import POOLED, MatchSettings
from kit.league.model_registry import ModelRegistry
from kit.league.opponents.registry import make_opponent
from kit.league.play_settings import PlaySettings
from kit.league.player_settings import PlayerSettings
from kit.league.policy_models import PolicyModels, backend_of
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

EVAL_WORKERS = 16
"""Games of an evaluation in flight, where nobody says how many."""
BASE = "base"
"""The model as it was loaded, as the registry calls it."""


class Assembly:
    """Loads the model, and makes everything that does not depend on where and how wide the league is played.

    Attributes:
        monitors: of one's own, which look at each new policy beside those that come by themselves; to be added before
            the league is made.

    Raises:
        UsageError: no such model, game, opponent or LoRA target; a setting out of range.
        ContextLengthError: an answer of ``max_generation_len`` does not fit into the model's context.
        MissingDependencyError: an optional library is not installed.
    """

    def __init__(self, settings: BuildSettings, ray_settings: RaySettings | None = None) -> None:
        self.settings, self._ray_settings = settings, ray_settings
        algorithm, matches = learner_class(settings.training.algorithm), settings.matches
        _try_out(matches)
        seed = derived_seed(settings.seed, "adapter")
        self.models = PolicyModels(settings.player, copies=settings.backend != RAY, seed=seed)
        self.learner = self._learner(algorithm)
        self.tracker = Tracker(window=max(100, matches.eval_games))
        self.registry = ModelRegistry()
        self.registry.add_checkpoint(BASE, None, 0)
        for name in matches.opponents:
            self.registry.add_fixed(name)
        self.scheduler = self._scheduler()
        self.buffer = self._buffer()
        self.monitors: list[Monitor] = []
        self._last_pool: GamePool | None = None

    @property
    def lm(self) -> LanguageModel:
        """The model that learns."""
        return self.models.learner

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
            (*self._monitors(), *self.monitors),
        )
        matches, batch_size = self.settings.matches, self.settings.training.batch_size
        how = LeagueSettings(batch_size, workers, matches.eval_every, matches.eval_games, eval_workers)
        league = League(parts, how, root)
        league.inexact = self._inexact()
        return league

    def _inexact(self) -> str | None:
        """Return why a resumed run would not continue bit for bit; None: it does."""
        far = [name for name in self.settings.matches.opponents if make_opponent(name).network]
        if far:
            return f"{', '.join(far)} answers over a network, and not the same twice"
        if self.settings.backend == RAY:
            return "games are played in other processes, whose last bits are not promised to be the same"
        return None

    def _learner(self, algorithm: type[BaseLearner]) -> BaseLearner:
        training, player = self.settings.training, self.settings.player
        learner = algorithm(
            self.lm,
            LearnerSettings(
                batch_size=training.batch_size,
                mini_batch_size=training.mini_batch_size,
                learning_rate=training.learning_rate,
                gradient_clipping=training.gradient_clipping,
                activation_checkpointing=training.activation_checkpointing,
                gradient_checkpointing=training.gradient_checkpointing,
                seed=derived_seed(self.settings.seed, "learner"),
            ),
        )
        own: dict[str, Any] = {"critic_lora": player.lora} if issubclass(algorithm, A2C) else {}
        lengths = {"max_train_len": training.max_train_len, "max_generation_len": player.max_generation_len}
        learner.initialize_algorithm(**{**lengths, **own, **training.algorithm_config})
        return learner

    def _scheduler(self) -> GameScheduler:
        matches, registry = self.settings.matches, self.registry
        env_sampler = ENV_SAMPLERS[matches.env_sampling_strategy](
            matches.train_envs, matches.eval_envs, **matches.env_sampling_config
        )
        strategy, more = matches.opponent_sampling_strategy, dict(matches.opponent_sampling_config)
        if strategy == "fixed":
            more = {"names": matches.fixed_opponents, **more}
        elif strategy in POOLED:
            more = {"opponents": CHECKPOINTS, **more}  # whom one is measured by is nobody to learn from
        sampler = MODEL_SAMPLERS[strategy](registry, **more)
        return GameScheduler(derived_seed(self.settings.seed, "games"), env_sampler, sampler, registry)

    def _buffer(self) -> StepBuffer | EpisodeBuffer:
        """Return the buffer of the learner's kind, with the transforms that were given, or those that suit it.

        A learner of episodes sums rewards along them: what every step of a good game would get, a bonus or a share of a
        mean taken off, would count once a step, and losing slowly would pay. So a well-formed legal step brings 0
        there, with the same distance to one that is not, and a batch is left as it is.
        """
        training = self.settings.training
        episodes = self.learner.batch_of == EPISODES
        kind = EpisodeBuffer if episodes else StepBuffer
        steps: list[StepRewardTransform] = (
            [RewardForFormat(0.0, -1.5), PenaltyForInvalidMove(0.0, -2.0)]
            if episodes
            else [RewardForFormat(1.5), PenaltyForInvalidMove(1.0, -1.0)]
        )
        return kind(
            training.capacity,
            seed=derived_seed(self.settings.seed, "buffer"),
            final_reward_transformation=training.final_reward_transformation
            or ComposeFinalRewardTransforms([RoleAdvantageByEnvFormatter()]),
            step_reward_transformation=training.step_reward_transformation
            or ComposeStepRewardTransforms(steps),
            sampling_reward_transformation=training.sampling_reward_transformation
            or ComposeSamplingRewardTransforms([] if episodes else [NormalizeRewardsByEnv(True)]),
        )

    def _pool(self, root: Path) -> GamePool:
        player = self.settings.player
        play = PlaySettings(
            make_game, make_opponent, find_template, root, player.temperature, player.max_tokens
        )
        if self.settings.backend == RAY:
            return RayPool(partial(_backend_in_a_worker, player), play, self._ray_settings, self.tracker)
        return LocalPool(self.models.actors(self.tracker), play)

    def _monitors(self) -> tuple[Monitor, ...]:
        """Return what looks at each new policy: where Kuhn poker is learnt with bare answers, how exploitable it is."""
        return tuple(
            KuhnMonitor(
                self.lm,
                find_template(spec.prompt_template),
                adapter=POLICY,
                temperature=self.settings.player.temperature,
            )
            for spec in self.settings.matches.train_envs[:1]
            if _scored(spec)
        )


def _try_out(matches: MatchSettings) -> None:
    """Make every game and opponent once, and let opponents without a network make a first move in each of theirs.

    Raises:
        UsageError: there is no such game or opponent, or one that cannot play a game.
    """
    specs: list[TrainEnvSpec | EvalEnvSpec] = [*matches.train_envs, *matches.eval_envs]
    for spec in specs:
        make_game(spec.env_id, spec.num_players).reset(0)
    for name in matches.opponents:
        make_opponent(name)
    for name, spec in matches.encounters:
        opponent = make_opponent(name)
        if not opponent.network:
            game = make_game(spec.env_id, spec.num_players)
            game.reset(0)
            opponent.act(game, 0)


def _scored(spec: TrainEnvSpec) -> bool:
    return stem(spec.env_id) == KUHN and find_template(spec.prompt_template).form == BARE


def _backend_in_a_worker(player: PlayerSettings) -> Backend:
    """Return the backend of a ray actor, which loads the model for itself, onto a GPU where ray gives it one."""
    return backend_of(LanguageModel.load(player.model_name, dtype=player.dtype), player)
