"""``build()``: a league from a model's name and a few games, with the parameters and defaults of Unstable Baselines."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kit.league.build_settings import LOCAL, BuildSettings
from kit.league.env_specs import DEFAULT_OPPONENT, EvalEnvSpec, TrainEnvSpec
from kit.league.metric_writers import MetricLogs
from kit.league.ray_backend import RaySettings
from kit.league.reward_transforms import FinalRewardTransform, SamplingRewardTransform, StepRewardTransform
from kit.league.run import Run

logger = logging.getLogger(__name__)

WANDB_PROJECT = "UnstableBaselines"


def build(
    model_name: str,
    train_envs: Sequence[TrainEnvSpec],
    eval_envs: Sequence[EvalEnvSpec] | None = None,
    env_sampling_strategy: str = "random",
    opponent_sampling_strategy: str = "none",
    fixed_opponents: Sequence[str] = (DEFAULT_OPPONENT,),
    algorithm: str = "reinforce",
    max_train_len: int | None = None,
    max_generation_len: int = 4096,
    batch_size: int = 384,
    mini_batch_size: int = 1,
    learning_rate: float = 1e-5,
    gradient_clipping: float = 0.2,
    activation_checkpointing: bool = True,
    gradient_checkpointing: bool = True,
    use_trainer_cache: bool = False,
    buffer_size: int | None = None,
    lora_config: Mapping[str, Any] | None = None,
    vllm_config: Mapping[str, Any] | None = None,
    wandb_project: str = WANDB_PROJECT,
    *,
    final_reward_transformation: FinalRewardTransform | None = None,
    step_reward_transformation: StepRewardTransform | None = None,
    sampling_reward_transformation: SamplingRewardTransform | None = None,
    algorithm_config: Mapping[str, Any] | None = None,
    env_sampling_config: Mapping[str, Any] | None = None,
    opponent_sampling_config: Mapping[str, Any] | None = None,
    backend: str = LOCAL,
    ray_settings: RaySettings | None = None,
    seed: int = 0,
    eval_every: int = 0,
    eval_games: int = 0,
    devices: str | Sequence[str] | None = None,
    dtype: str | None = None,
    wandb: bool = False,
    tensorboard: bool = False,
) -> Run:
    """Put a league together; ``start`` of what is returned plays it, under a session.

    Parameters are described where they are checked: games, opponents and evaluations at MatchSettings, the model, its
    answers and its devices at PlayerSettings, how it learns at TrainingSettings. Beside those there are

    - ``seed``, of everything random in the league;
    - ``backend``: ``local``, or ``ray`` for games in ray actors, and ``ray_settings``: how many of them, and what each
      has (None: one, with one core);
    - ``tensorboard``: whether the session keeps a TensorBoard log in the run folder, and ``wandb``: whether rows go
      to ``wandb_project`` at Weights & Biases;
    - ``use_trainer_cache``, which has no effect: there is no Hugging Face Trainer here whose cache could be used
      again. What it was for, going on after a restart, the session's checkpoints do, exactly.

    Raises:
        UnknownNameError: a name that there is not; lists those there are, and the nearest.
        UsageError: a value that cannot be used; a model that is not there; LoRA targets that match nothing.
        MissingDependencyError: an optional library is not installed.
    """
    settings = BuildSettings.of(locals())
    if use_trainer_cache:
        logger.warning("use_trainer_cache has no effect: a run is resumed from the session's checkpoints.")
    logs = MetricLogs(tensorboard=tensorboard, wandb_project=wandb_project if wandb else None)
    return Run(settings, logs=logs, ray_settings=ray_settings)
