"""Ratings: TrueSkill's update in closed form, by openskill, and what two ratings say about a match.

For two players openskill's Thurstone-Mosteller model with full pairing is TrueSkill's own update (Herbrich, Minka and
Graepel, TrueSkill: a Bayesian skill rating system, 2006; Weng and Lin, A Bayesian approximation method for online
ranking, JMLR 12, 2011, algorithm 3) once its variance is damped by nothing (γ = 1) and its draw margin is

    ε = Φ⁻¹((p_draw + 1) / 2) · √2 · β

Among k > 2 players each pair's share of the variance is 1/(k − 1), so that one game cannot use all of it up.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

from kit.errors import MissingDependencyError, UsageError

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Rating:
    """What is believed of a player's strength: mean and standard deviation, on the scale of ``RatingSettings``."""

    mu: float
    sigma: float


@dataclass(frozen=True)
class RatingSettings:
    """The scale of ratings, and how fast they move.

    Attributes:
        mu: of a player nobody knows.
        sigma: of a player nobody knows; no rating is ever less certain.
        beta: half the spread of what a player shows in one game, as a standard deviation.
        tau: standard deviation that a rating gains before each game, since strength changes.
        draw: share of games between equals that are drawn, between 0 and 1, neither included.
        widening: a new checkpoint is rated like the one before it, with so many times its sigma.
    """

    mu: float = 25.0
    sigma: float = 25.0 / 3.0
    beta: float = 4.0
    tau: float = 25.0 / 300.0
    draw: float = 0.10
    widening: float = 2.0

    def __post_init__(self) -> None:
        for name in ("sigma", "beta", "tau"):
            if not getattr(self, name) > 0.0:
                raise UsageError(f"{name} must be more than 0, not {getattr(self, name)}.")
        if not 0.0 < self.draw < 1.0:
            raise UsageError(f"draw must be a share between 0 and 1, not {self.draw}.")
        if not self.widening >= 1.0:
            raise UsageError(f"widening must be at least 1, not {self.widening}.")

    @property
    def margin(self) -> float:
        """The draw margin ε."""
        return _NORMAL.inv_cdf((self.draw + 1.0) / 2.0) * math.sqrt(2.0) * self.beta


class Rater:
    """Rates games by ``settings``; openskill is loaded with the first one."""

    def __init__(self, settings: RatingSettings = RatingSettings()) -> None:
        self.settings = settings

    def new(self) -> Rating:
        """Return the rating of a player nobody knows."""
        return Rating(self.settings.mu, self.settings.sigma)

    def heir(self, rating: Rating) -> Rating:
        """Return the rating of a new checkpoint that comes after one of ``rating``: its mu, and less certain."""
        return Rating(rating.mu, min(self.settings.sigma, self.settings.widening * rating.sigma))

    def rated(self, ratings: Sequence[Rating], scores: Sequence[float]) -> list[Rating]:
        """Return the ratings after a game in which more of a score is better and equal ones are a draw.

        Raises:
            MissingDependencyError: openskill is not installed.
        """
        model = self._model
        teams = [[model.create_rating([one.mu, one.sigma])] for one in ratings]
        ranks = [float(sum(other > score for other in scores)) for score in scores]
        after = [team[0] for team in model.rate(teams, ranks=ranks)]
        return [Rating(float(one.mu), min(self.settings.sigma, float(one.sigma))) for one in after]

    def quality(self, one: Rating, other: Rating) -> float:
        """Return how even a match is, in (0, 1]: TrueSkill's chance of a draw, relative to that of two known equals."""
        spread = 2.0 * self.settings.beta**2
        variance = spread + one.sigma**2 + other.sigma**2
        return math.sqrt(spread / variance) * math.exp(-((one.mu - other.mu) ** 2) / (2.0 * variance))

    def win_probability(self, one: Rating, other: Rating) -> float:
        """Return how likely ``one`` shows more than ``other`` in a game."""
        deviation = math.sqrt(2.0 * self.settings.beta**2 + one.sigma**2 + other.sigma**2)
        return _NORMAL.cdf((one.mu - other.mu) / deviation)

    @cached_property
    def _model(self) -> Any:
        try:
            models = importlib.import_module("openskill.models")
        except ImportError as error:
            raise MissingDependencyError("openskill is not installed: pip install openskill.") from error
        settings = self.settings
        return models.ThurstoneMostellerFull(
            mu=settings.mu,
            sigma=settings.sigma,
            beta=settings.beta,
            epsilon=settings.margin,
            tau=settings.tau,
            gamma=_share_of_a_pair,
        )


def _share_of_a_pair(
    c: float,
    k: int,
    mu: float,
    sigma_squared: float,
    team: Sequence[Any],
    rank: int,
    weights: list[float] | None = None,
) -> float:
    """Return openskill's γ: 1 for two players, and no more for all pairs of a player together."""
    del c, mu, sigma_squared, team, rank, weights
    return 1.0 / (k - 1)
