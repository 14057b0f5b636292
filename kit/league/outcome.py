"""What a game came to for the players that the league is about, and for those they met."""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum

from kit.league.game_record import GameRecord
from kit.league.game_spec import EVAL, GameSpec, PlayerSpec


def actors(spec: GameSpec) -> tuple[PlayerSpec, ...]:
    """Return the players that the league trains: those that learn; in an evaluation those that have learnt."""
    return tuple(one for one in spec.players if one.learns or (spec.kind == EVAL and one.policy_version >= 0))


def opponents(spec: GameSpec) -> tuple[PlayerSpec, ...]:
    """Return the others; nobody in a mirror game."""
    ours = {one.pid for one in actors(spec)}
    return tuple(one for one in spec.players if one.pid not in ours)


def mean_reward(record: GameRecord) -> float | None:
    """Return the mean reward of its actors, as the game gave it; None where it broke, or nobody was one."""
    rewards = [record.rewards[one.pid] for one in actors(record.spec)] if record.rewards else []
    return fsum(rewards) / len(rewards) if rewards else None


def meetings(record: GameRecord) -> Iterator[tuple[PlayerSpec, PlayerSpec, float]]:
    """Yield each actor with each opponent and its score against it: 1 won, 0.5 drawn, 0 lost; none where it broke."""
    if not record.rewards:
        return
    for one in actors(record.spec):
        for other in opponents(record.spec):
            yield one, other, score(record.rewards[one.pid], record.rewards[other.pid])


def score(reward: float, other: float) -> float:
    """Return 1 for more reward than the other's, 0.5 for as much, 0 for less."""
    return 0.5 if reward == other else float(reward > other)
