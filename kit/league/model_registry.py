"""ModelRegistry: every player of the league, the checkpoints of its policy and fixed opponents, with their ratings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.errors import UsageError, choose
from kit.league.match_table import MatchTable
from kit.league.rating import Rater, Rating, RatingSettings

FIXED = -1
"""The iteration of a player that does not learn."""


@dataclass(frozen=True)
class Entry:
    """A player.

    Attributes:
        uid: its name.
        path: of its adapter, as the league names it (relative to the run folder, so that a run can move); None for the
            model as it was loaded, and for a fixed opponent.
        iteration: learner updates behind it, or FIXED.
    """

    uid: str
    path: str | None
    iteration: int

    @property
    def fixed(self) -> bool:
        """Whether it does not learn."""
        return self.iteration == FIXED


class ModelRegistry:
    """Knows who can play, how strong they are believed to be, and how often they met.

    A game in which a name holds several seats says nothing about anybody's strength: it is counted, and rates nobody.
    """

    def __init__(self, settings: RatingSettings | None = None) -> None:
        self.rater = Rater(settings or RatingSettings())
        self.matches = MatchTable()
        self._entries: dict[str, Entry] = {}
        self._ratings: dict[str, Rating] = {}

    # Who there is

    def add_checkpoint(self, uid: str, path: str | None, iteration: int) -> None:
        """Add a checkpoint of the policy, which is the current one from now on, rated like the one before it.

        Raises:
            UsageError: the name is taken, or ``iteration`` is not more than that of the one before.
        """
        there = self.checkpoints
        newest = self._entries[there[-1]].iteration if there else FIXED
        if not iteration > newest:
            raise UsageError(f"iteration of checkpoint {uid!r} must be more than {newest}, not {iteration}.")
        self._add(Entry(uid, path, iteration))
        if there:
            self._ratings[uid] = self.rater.heir(self._ratings[there[-1]])

    def add_fixed(self, name: str) -> None:
        """Add an opponent that does not learn; one that is there already is left as it is.

        Raises:
            UsageError: a checkpoint has the name.
        """
        if name not in self._entries or not self._entries[name].fixed:
            self._add(Entry(name, None, FIXED))

    def _add(self, entry: Entry) -> None:
        if entry.uid in self._entries:
            raise UsageError(f"There is a player {entry.uid!r} in the registry already.")
        self._entries[entry.uid] = entry
        self._ratings[entry.uid] = self.rater.new()

    def entry(self, uid: str) -> Entry:
        """Return a player; raises UnknownNameError, which names the nearest, where there is none of that name."""
        return choose("player", uid, self._entries)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Names of the policy's checkpoints, oldest first."""
        return tuple(uid for uid, entry in self._entries.items() if not entry.fixed)

    @property
    def fixed(self) -> tuple[str, ...]:
        """Names of the fixed opponents, in the order they came."""
        return tuple(uid for uid, entry in self._entries.items() if entry.fixed)

    @property
    def current(self) -> str:
        """Name of the newest checkpoint.

        Raises:
            UsageError: there is none.
        """
        there = self.checkpoints
        if not there:
            raise UsageError("There is no checkpoint in the registry: add_checkpoint() the base model first.")
        return there[-1]

    # How strong they are

    def update_ratings(self, uids: Sequence[str], scores: Sequence[float], env_id: str) -> None:
        """Count a game and rate its players: ``scores`` by seat, more is better, equal ones are a draw.

        Raises:
            UsageError: other numbers of names than of scores, fewer than two, or a score that is no number.
            UnknownNameError: a name that is not in the registry.
            MissingDependencyError: openskill is not installed.
        """
        if len(uids) != len(scores) or len(uids) < 2:
            raise UsageError(
                f"A game of {env_id} has a score for each of two or more players, not {uids} and {scores}."
            )
        if any(math.isnan(score) for score in scores):
            raise UsageError(f"A score of {env_id} is not a number: {scores}.")
        ratings = [self.rating(uid) for uid in uids]
        if len(set(uids)) == len(uids):
            self._ratings.update(zip(uids, self.rater.rated(ratings, scores), strict=True))
        self.matches.add(uids, scores, env_id)

    def rating(self, uid: str) -> Rating:
        """Return a player's rating; raises UnknownNameError where there is none of that name."""
        return choose("player", uid, self._ratings)

    @property
    def ratings(self) -> dict[str, Rating]:
        """Every player's rating, in the order they came."""
        return dict(self._ratings)

    def quality(self, one: str, other: str) -> float:
        """Return how even a match of two is, in (0, 1]."""
        return self.rater.quality(self.rating(one), self.rating(other))

    def win_probability(self, one: str, other: str) -> float:
        """Return how likely ``one`` beats ``other``, by their ratings."""
        return self.rater.win_probability(self.rating(one), self.rating(other))

    # Seen and kept

    def view(self) -> dict[str, Any]:
        """Return what the terminal shows: players with their ratings, and how often each pair met, as plain values."""
        players = [
            {"uid": uid, "iteration": entry.iteration, "mu": rating.mu, "sigma": rating.sigma}
            for (uid, entry), rating in zip(self._entries.items(), self._ratings.values(), strict=True)
        ]
        return {
            "players": players,
            "matches": [[*pair, games] for pair, games in self.matches.pairs().items()],
        }

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the settings."""
        rows = [
            [uid, entry.path, entry.iteration, self._ratings[uid].mu, self._ratings[uid].sigma]
            for uid, entry in self._entries.items()
        ]
        return {"players": rows, "matches": self.matches.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        rows = state["players"]
        self._entries = {uid: Entry(uid, path, iteration) for uid, path, iteration, _, _ in rows}
        self._ratings = {uid: Rating(mu, sigma) for uid, _, _, mu, sigma in rows}
        self.matches.load_state_dict(state["matches"])
