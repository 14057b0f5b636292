"""MatchSettings: what ``build()`` was told of what is played against whom, to learn from and to be measured by."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.errors import UsageError, choose
from kit.league.env_specs import DEFAULT_OPPONENT, EvalEnvSpec, TrainEnvSpec
from kit.league.samplers import ENV_SAMPLERS, MODEL_SAMPLERS
from kit.league.samplers.pool import CHECKPOINTS
from kit.league.setting_checks import option_names, whole_number

logger = logging.getLogger(__name__)

POOLED = ("match-quality", "prioritised")
"""Strategies that draw from earlier policies, and from fixed opponents too where they are told to."""


@dataclass(frozen=True)
class MatchSettings:
    """Games, opponents and evaluations.

    Attributes:
        train_envs: games to learn from.
        eval_envs: games to be measured by; none where it is empty.
        env_sampling_strategy: ``random``, ``weighted`` or ``recent-reward``.
        env_sampling_config: for the environment sampler, such as ``{"weights": [2, 1]}``.
        opponent_sampling_strategy: ``none`` and ``mirror`` play against the current policy, ``fixed`` against
            ``fixed_opponents``, ``lagged``, ``match-quality`` and ``prioritised`` against earlier policies, the last
            two also against all fixed ones where ``opponent_sampling_config`` has ``{"opponents": "all"}``.
        opponent_sampling_config: for the model sampler, such as ``{"lag_range": (1, 7)}``.
        fixed_opponents: names of opponents: ``random``, ``scripted``, ``minimax``, ``endpoint:MODEL@BASE_URL``, or a
            model at the default endpoint. The default is one, and needs a key.
        eval_every: updates between two evaluations of ``eval_games`` games; 0: games that measure are played beside the
            others all the time, as many at once as ``num_eval_workers``, and ``eval_games`` at the end.
        eval_games: games of an evaluation.
    """

    train_envs: tuple[TrainEnvSpec, ...]
    eval_envs: tuple[EvalEnvSpec, ...] = ()
    env_sampling_strategy: str = "random"
    env_sampling_config: Mapping[str, Any] = field(default_factory=dict)
    opponent_sampling_strategy: str = "none"
    opponent_sampling_config: Mapping[str, Any] = field(default_factory=dict)
    fixed_opponents: tuple[str, ...] = (DEFAULT_OPPONENT,)
    eval_every: int = 0
    eval_games: int = 0

    def __post_init__(self) -> None:
        self._check_samplers()
        self._check_evaluations()
        _check_specs("train_envs", self.train_envs, TrainEnvSpec)
        _check_specs("eval_envs", self.eval_envs, EvalEnvSpec)
        if not self.train_envs:
            raise UsageError("train_envs must hold at least one TrainEnvSpec.")
        draws = self.opponent_sampling_strategy not in ("none", "mirror")
        if draws and all(one.mirror for one in self.train_envs):
            logger.warning(
                "opponent_sampling_strategy is %r, and no opponent will be drawn: in every training game num_actors is "
                "num_players.",
                self.opponent_sampling_strategy,
            )

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

    def _check_samplers(self) -> None:
        env_sampler = choose("env_sampling_strategy", self.env_sampling_strategy, ENV_SAMPLERS)
        model_sampler = choose("opponent_sampling_strategy", self.opponent_sampling_strategy, MODEL_SAMPLERS)
        option_names(
            "env_sampling_config",
            env_sampler,
            self.env_sampling_config,
            own=("train_env_specs", "eval_env_specs"),
        )
        option_names(
            "opponent_sampling_config", model_sampler, self.opponent_sampling_config, own=("model_registry",)
        )
        if self._draws_fixed and not self.fixed_opponents:
            raise UsageError(
                "opponent_sampling_strategy is 'fixed', and fixed_opponents is empty: there is nobody to draw."
            )

    def _check_evaluations(self) -> None:
        for name in ("eval_every", "eval_games"):
            whole_number(name, getattr(self, name), 0)
        if self.eval_games and not self.eval_envs:
            raise UsageError(
                f"eval_games is {self.eval_games}, and eval_envs is empty: there is nothing to play."
            )
        if self.eval_every and not self.eval_games:
            raise UsageError(
                f"eval_every is {self.eval_every}, and eval_games is 0: no evaluation would have a game. "
                "Give eval_games, or eval_every=0 for games that measure beside the others."
            )


def _check_specs(name: str, specs: Sequence[object], kind: type) -> None:
    for spec in specs:
        if not isinstance(spec, kind):
            raise UsageError(f"{name} holds {kind.__name__}s, not {spec!r}.")
