"""BuildSettings: everything that decides what a league comes to, as ``build()`` was told it, by noun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from kit.errors import choose
from kit.league.match_settings import MatchSettings
from kit.league.player_settings import PlayerSettings
from kit.league.setting_checks import whole_number
from kit.league.training_settings import TrainingSettings

LOCAL, RAY = "local", "ray"
BACKENDS = (LOCAL, RAY)
_SEQUENCES = ("train_envs", "eval_envs", "fixed_opponents")
_MAPPINGS = ("algorithm_config", "env_sampling_config", "opponent_sampling_config")


@dataclass(frozen=True)
class BuildSettings:
    """What is played, who plays it, and how it learns.

    Attributes:
        matches: games, opponents and evaluations.
        player: the model.
        training: how it learns.
        backend: where games are played, LOCAL or RAY.
        seed: of everything random in the league.
    """

    matches: MatchSettings
    player: PlayerSettings
    training: TrainingSettings
    backend: str = LOCAL
    seed: int = 0

    def __post_init__(self) -> None:
        choose("backend", self.backend, dict.fromkeys(BACKENDS))
        whole_number("seed", self.seed)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> BuildSettings:
        """Make them from arguments of ``build()`` by name, whatever else is among them.

        Raises:
            UsageError: a value that cannot be used.
        """
        plain = {name: _plain(name, value) for name, value in told.items()}
        parts = (_part(kind, plain) for kind in (MatchSettings, PlayerSettings, TrainingSettings))
        return cls(*parts, **{name: plain[name] for name in ("backend", "seed") if name in plain})


def _part(kind: Any, told: Mapping[str, Any]) -> Any:
    return kind(**{one.name: told[one.name] for one in fields(kind) if one.name in told})


def _plain(name: str, value: Any) -> Any:
    """Return a value as it is kept, so that nobody else holds what is in it."""
    if name == "devices":
        return value if value is None else (value,) if isinstance(value, str) else tuple(value)
    if name in _SEQUENCES:
        return tuple(value or ())
    if name in _MAPPINGS:
        return dict(value or {})
    return str(value) if name == "model_name" else value
