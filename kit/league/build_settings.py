"""BuildSettings: everything ``build()`` was told, checked; two of its parts come as dictionaries of other libraries."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kit.errors import UnknownNameError, UsageError, choose
from kit.league.env_specs import DEFAULT_OPPONENT, EvalEnvSpec, TrainEnvSpec
from kit.league.samplers import ENV_SAMPLERS, MODEL_SAMPLERS
from kit.league.samplers.pool import CHECKPOINTS
from kit.league.setting_checks import number, option_names, whole_number

if TYPE_CHECKING:
    from kit.league.reward_transforms import (
        FinalRewardTransform,
        SamplingRewardTransform,
        StepRewardTransform,
    )
    from kit.lm.lora import LoraSettings

logger = logging.getLogger(__name__)

LOCAL, RAY = "local", "ray"
BACKENDS = (LOCAL, RAY)
POOLED = ("match-quality", "prioritised")
"""Strategies that draw from earlier policies, and from fixed opponents too where they are told to."""
TEMPERATURE = 0.6
MOST_ROWS = 128
MOST_ADAPTERS = 8
_LORA = {"lora_rank": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout", "target_modules": "targets"}
_VLLM = (
    *("model_name", "temperature", "max_tokens", "max_parallel_seq", "max_loras", "lora_config"),
    "max_model_len",
)

_WHOLE: Mapping[str, int | None] = {
    **dict.fromkeys(
        ("batch_size", "mini_batch_size", "max_generation_len", "max_train_len", "buffer_size"), 1
    ),
    **dict.fromkeys(("eval_every", "eval_games"), 0),
    "seed": None,
}
"""Whole numbers, and the least each may be."""
_OPTIONAL = ("max_train_len", "buffer_size")


@dataclass(frozen=True)
class Transforms:
    """The three reward pipelines; None: those of Unstable Baselines' script, where they suit the learner."""

    final: FinalRewardTransform | None = None
    step: StepRewardTransform | None = None
    sampling: SamplingRewardTransform | None = None


@dataclass(frozen=True)
class BuildSettings:
    """What ``build()`` was told; see there for each."""

    model_name: str
    train_envs: tuple[TrainEnvSpec, ...]
    eval_envs: tuple[EvalEnvSpec, ...] = ()
    env_sampling_strategy: str = "random"
    opponent_sampling_strategy: str = "none"
    fixed_opponents: tuple[str, ...] = (DEFAULT_OPPONENT,)
    algorithm: str = "reinforce"
    max_train_len: int | None = None
    max_generation_len: int = 4096
    batch_size: int = 384
    mini_batch_size: int = 1
    learning_rate: float = 1e-5
    gradient_clipping: float = 0.2
    activation_checkpointing: bool = True
    gradient_checkpointing: bool = True
    buffer_size: int | None = None
    lora_config: Mapping[str, Any] | None = None
    vllm_config: Mapping[str, Any] | None = None
    transforms: Transforms = field(default_factory=Transforms)
    algorithm_config: Mapping[str, Any] = field(default_factory=dict)
    env_sampling_config: Mapping[str, Any] = field(default_factory=dict)
    opponent_sampling_config: Mapping[str, Any] = field(default_factory=dict)
    backend: str = LOCAL
    seed: int = 0
    eval_every: int = 0
    eval_games: int = 0

    def __post_init__(self) -> None:
        choose("env_sampling_strategy", self.env_sampling_strategy, ENV_SAMPLERS)
        choose("opponent_sampling_strategy", self.opponent_sampling_strategy, MODEL_SAMPLERS)
        choose("backend", self.backend, dict.fromkeys(BACKENDS))
        self._check_numbers()
        self._check_options()
        _check_specs("train_envs", self.train_envs, TrainEnvSpec)
        _check_specs("eval_envs", self.eval_envs, EvalEnvSpec)
        if not self.train_envs:
            raise UsageError("train_envs must hold at least one TrainEnvSpec.")
        if self.eval_games and not self.eval_envs:
            raise UsageError(
                f"eval_games is {self.eval_games}, and eval_envs is empty: there is nothing to play."
            )
        if self.eval_every and not self.eval_games:
            raise UsageError(
                f"eval_every is {self.eval_every}, and eval_games is 0: no evaluation would have a game. "
                "Give eval_games, or eval_every=0 for games that measure beside the others."
            )
        if self.buffer_size is not None and self.buffer_size < self.batch_size:
            raise UsageError(
                f"buffer_size must be at least batch_size, {self.batch_size}, not {self.buffer_size}: a batch would "
                "never be there."
            )
        self._warn()

    @property
    def capacity(self) -> int:
        """Steps that the buffer holds."""
        return 2 * self.batch_size if self.buffer_size is None else self.buffer_size

    @property
    def lora(self) -> LoraSettings:
        """The policy's adapter.

        Raises:
            UnknownNameError: ``lora_config`` has a key that is none.
        """
        from kit.lm.lora import LoraSettings

        given = dict(self.lora_config or {})
        for name in given:
            if name not in _LORA:
                raise UnknownNameError("key of lora_config", name, _LORA)
        if "target_modules" in given:
            given["target_modules"] = tuple(given["target_modules"])
        return LoraSettings(**{_LORA[name]: value for name, value in given.items()})

    @property
    def temperature(self) -> float:
        """That policies draw at."""
        return float(self._vllm("temperature", TEMPERATURE))

    @property
    def max_tokens(self) -> int:
        """Of an answer, at most."""
        return int(self._vllm("max_tokens", self.max_generation_len))

    @property
    def most_rows(self) -> int:
        """Answers that go through the model together."""
        return int(self._vllm("max_parallel_seq", MOST_ROWS))

    @property
    def most_adapters(self) -> int:
        """Adapters that are held in memory."""
        return int(self._vllm("max_loras", MOST_ADAPTERS))

    @property
    def opponents(self) -> tuple[str, ...]:
        """Fixed opponents that can come up: those to learn from, where they are drawn, and those to be measured by."""
        learnt = self.fixed_opponents if self._draws_fixed or self._draws_all else ()
        return tuple(dict.fromkeys([*learnt, *(one.fixed_opponent for one in self.eval_envs)]))

    @property
    def encounters(self) -> tuple[tuple[str, TrainEnvSpec | EvalEnvSpec], ...]:
        """Every fixed opponent with every game in which it can come up."""
        drawn = self.opponents if self._draws_all else self.fixed_opponents if self._draws_fixed else ()
        learnt = [(name, one) for one in self.train_envs if not one.mirror for name in drawn]
        return (*learnt, *((one.fixed_opponent, one) for one in self.eval_envs))

    @property
    def _draws_fixed(self) -> bool:
        """Whether ``fixed_opponents`` are drawn, and no others."""
        return self.opponent_sampling_strategy == "fixed"

    @property
    def _draws_all(self) -> bool:
        """Whether any fixed opponent that the registry holds may be drawn."""
        pooled = self.opponent_sampling_config.get("opponents", CHECKPOINTS) != CHECKPOINTS
        return self.opponent_sampling_strategy in POOLED and pooled

    def _vllm(self, name: str, default: Any) -> Any:
        value = (self.vllm_config or {}).get(name)
        return default if value is None else value

    def _check_numbers(self) -> None:
        self._check_vllm()
        for name, least in _WHOLE.items():
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                whole_number(name, value, least)
        for name in ("learning_rate", "gradient_clipping"):
            number(name, getattr(self, name))
        number("temperature", self._vllm("temperature", TEMPERATURE), above=False)
        for name in ("max_tokens", "max_parallel_seq", "max_loras"):
            whole_number(name, self._vllm(name, 1), 1)

    def _check_options(self) -> None:
        option_names(
            "env_sampling_config",
            ENV_SAMPLERS[self.env_sampling_strategy],
            self.env_sampling_config,
            own=("train_env_specs", "eval_env_specs"),
        )
        option_names(
            "opponent_sampling_config",
            MODEL_SAMPLERS[self.opponent_sampling_strategy],
            self.opponent_sampling_config,
            own=("model_registry",),
        )
        if self._draws_fixed and not self.fixed_opponents:
            raise UsageError(
                "opponent_sampling_strategy is 'fixed', and fixed_opponents is empty: there is nobody to draw."
            )

    def _check_vllm(self) -> None:
        for name in self.vllm_config or {}:
            if name not in _VLLM:
                raise UnknownNameError("key of vllm_config", name, _VLLM)
        named = self._vllm("model_name", self.model_name)
        if named != self.model_name:
            raise UsageError(f"vllm_config names the model {named!r}, and model_name is {self.model_name!r}.")

    def _warn(self) -> None:
        if self.vllm_config:
            logger.info(
                "vllm_config: temperature, max_tokens, max_parallel_seq and max_loras hold for the transformers "
                "backend too; the adapter is lora_config's, and the context the model's own."
            )
        draws = self.opponent_sampling_strategy not in ("none", "mirror")
        if draws and all(one.mirror for one in self.train_envs):
            logger.warning(
                "opponent_sampling_strategy is %r, and no opponent will be drawn: in every training game num_actors is "
                "num_players.",
                self.opponent_sampling_strategy,
            )


def _check_specs(name: str, specs: Sequence[object], kind: type) -> None:
    for spec in specs:
        if not isinstance(spec, kind):
            raise UsageError(f"{name} holds {kind.__name__}s, not {spec!r}.")
