"""Environment specs: which games the league trains on and which it is measured by, with whom and in what words."""

from __future__ import annotations

from dataclasses import dataclass

from kit.errors import UsageError
from kit.league.prompt_templates import find_template

DEFAULT_OPPONENT = "google/gemini-2.0-flash-lite-001"
"""Whom Unstable Baselines measures by, at an endpoint."""


@dataclass(frozen=True)
class TrainEnvSpec:
    """A game to learn from.

    Attributes:
        env_id: which.
        num_players: players in it.
        num_actors: how many of them learn; as many as there are players is mirror self-play, and no opponent is drawn.
        prompt_template: name of the template that all of them are asked by.
    """

    env_id: str
    num_players: int
    num_actors: int
    prompt_template: str

    def __post_init__(self) -> None:
        _check(self.env_id, self.num_players, self.prompt_template)
        if not 1 <= self.num_actors <= self.num_players:
            raise UsageError(
                f"num_actors of {self.env_id} must be 1 to {self.num_players} (num_players), not {self.num_actors}."
            )

    @property
    def mirror(self) -> bool:
        """Whether the current policy plays every player."""
        return self.num_actors == self.num_players


@dataclass(frozen=True)
class EvalEnvSpec:
    """A game to be measured by: one player is the current policy, the others are a fixed opponent.

    Attributes:
        env_id: which.
        num_players: players in it.
        prompt_template: name of the template that the policy is asked by.
        fixed_opponent: who the others are, by the name of an opponent.
    """

    env_id: str
    num_players: int
    prompt_template: str
    fixed_opponent: str = DEFAULT_OPPONENT

    def __post_init__(self) -> None:
        _check(self.env_id, self.num_players, self.prompt_template)
        if not self.fixed_opponent:
            raise UsageError(f"fixed_opponent of {self.env_id} must be the name of an opponent, not empty.")


def _check(env_id: str, num_players: int, prompt_template: str) -> None:
    if not env_id:
        raise UsageError("env_id must be the name of a game, not empty.")
    if num_players < 1:
        raise UsageError(f"num_players of {env_id} must be at least 1, not {num_players}.")
    find_template(prompt_template)
