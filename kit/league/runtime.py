"""``build()``: a league from a model's name and a few games, with the parameters and defaults of Unstable Baselines."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kit.league.build_settings import LOCAL, BuildSettings, Transforms
from kit.league.env_specs import DEFAULT_OPPONENT, EvalEnvSpec, TrainEnvSpec
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
    wandb: bool = False,
) -> Run:
    """Put a league together; ``start`` of what is returned plays it, under a session.

    Args:
        model_name: folder of a model, or its name in the local cache of Hugging Face; nothing is downloaded.
        train_envs: games to learn from.
        eval_envs: games to be measured by; None: none are played.
        env_sampling_strategy: ``random``, ``weighted`` or ``recent-reward``.
        opponent_sampling_strategy: ``none`` and ``mirror`` play against the current policy, ``fixed`` against
            ``fixed_opponents``, ``lagged``, ``match-quality`` and ``prioritised`` against earlier policies, the last
            two also against all fixed ones where ``opponent_sampling_config`` has ``{"opponents": "all"}``.
        fixed_opponents: names of opponents: ``random``, ``scripted``, ``minimax``, ``endpoint:MODEL@BASE_URL``, or a
            model at the default endpoint. The default is one, and needs a key.
        algorithm: ``reinforce``, ``a2c``, or the name of a learner of one's own (``register_learner``).
        max_train_len: tokens of prompt and answer that the loss sees; None: all. It limits training only.
        max_generation_len: tokens of an answer, and what the length-constant loss divides by.
        batch_size: steps of an update.
        mini_batch_size: steps that go through the model together; changes time and memory only.
        learning_rate: of AdamW.
        gradient_clipping: norm.
        activation_checkpointing: compute activations again in the backward pass.
        gradient_checkpointing: and whole layers.
        use_trainer_cache: has no effect: there is no Hugging Face Trainer here whose cache could be used again. What it
            was for, going on after a restart, the session's checkpoints do, exactly.
        buffer_size: steps that the buffer holds; None: two batches.
        lora_config: ``lora_rank``, ``lora_alpha``, ``lora_dropout``, ``target_modules``; None: 32, 32, 0, and
            all linear layers of a Qwen block.
        vllm_config: as vLLM would be told. ``temperature`` (0.6), ``max_tokens`` (``max_generation_len``),
            ``max_parallel_seq`` (128) and ``max_loras`` (8) hold here too; vLLM itself is not used.
        wandb_project: where rows go if ``wandb`` is true.
        final_reward_transformation: of a player's reward at the end; None: its mean by role and game taken off.
        step_reward_transformation: of each step; None: 1.5 for the form, 1 for a legal and −1 for an illegal move; for
            a learner of episodes such as A2C, which sums them, 0 for a good move, −1.5 for a wrong form and −2 for an
            illegal move, so that long games earn nothing by their length.
        sampling_reward_transformation: of a batch; None: z-scores by game; for a learner of episodes none (A2C
            normalises its advantages).
        algorithm_config: for the learner's ``initialize_algorithm``.
        env_sampling_config: for the environment sampler, such as ``{"weights": [2, 1]}``.
        opponent_sampling_config: for the model sampler, such as ``{"lag_range": (1, 7)}``.
        backend: ``local``, or ``ray`` for games in ray actors.
        ray_settings: how many of them, and what each has; None: one, with one core.
        seed: of everything random in the league.
        eval_every: updates between two evaluations of ``eval_games`` games; 0: games that measure are played beside the
            others all the time, as many at once as ``num_eval_workers``, and ``eval_games`` at the end.
        eval_games: games of an evaluation.
        wandb: whether rows go to Weights & Biases.

    Raises:
        UnknownNameError: a name that there is not; lists those there are, and the nearest.
        UsageError: a value that cannot be used; a model that is not there; LoRA targets that match nothing.
        MissingDependencyError: an optional library is not installed.
    """
    if use_trainer_cache:
        logger.warning("use_trainer_cache has no effect: a run is resumed from the session's checkpoints.")
    settings = BuildSettings(
        model_name=str(model_name),
        train_envs=tuple(train_envs),
        eval_envs=tuple(eval_envs or ()),
        env_sampling_strategy=env_sampling_strategy,
        opponent_sampling_strategy=opponent_sampling_strategy,
        fixed_opponents=tuple(fixed_opponents),
        algorithm=algorithm,
        max_train_len=max_train_len,
        max_generation_len=max_generation_len,
        batch_size=batch_size,
        mini_batch_size=mini_batch_size,
        learning_rate=learning_rate,
        gradient_clipping=gradient_clipping,
        activation_checkpointing=activation_checkpointing,
        gradient_checkpointing=gradient_checkpointing,
        buffer_size=buffer_size,
        lora_config=lora_config,
        vllm_config=vllm_config,
        transforms=Transforms(
            final_reward_transformation, step_reward_transformation, sampling_reward_transformation
        ),
        algorithm_config=dict(algorithm_config or {}),
        env_sampling_config=dict(env_sampling_config or {}),
        opponent_sampling_config=dict(opponent_sampling_config or {}),
        backend=backend,
        seed=seed,
        eval_every=eval_every,
        eval_games=eval_games,
    )
    return Run(settings, wandb_project=wandb_project if wandb else None, ray_settings=ray_settings)
