"""Prioritised fictitious self-play: more games against those whom the policy does not beat.

Vinyals et al., Grandmaster level in StarCraft II using multi-agent reinforcement learning, Nature 575 (2019), Methods,
"Prioritized fictitious self-play": an opponent B of A is drawn with a probability in proportion to f(P[A beats B]),

    f_hard(p) = (1 − p)^k     the hardest opponents, most of all
    f_var(p)  = p (1 − p)     opponents of about A's own level
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import fsum
from typing import Any

from kit.errors import UsageError, choose
from kit.league.draws import draw_weighted
from kit.league.model_registry import ModelRegistry
from kit.league.samplers.pool import ALL, PoolModelSampler

HARD, VARIANCE = "hard", "variance"


def hard(win_rate: float, power: float) -> float:
    """Return (1 − p)^k."""
    return float((1.0 - win_rate) ** power)


def variance(win_rate: float, power: float) -> float:
    """Return p (1 − p), whatever the power."""
    del power
    return win_rate * (1.0 - win_rate)


WEIGHTINGS: Mapping[str, Callable[[float, float], float]] = {HARD: hard, VARIANCE: variance}


class PrioritisedModelSampler(PoolModelSampler):
    """Draws by f of the win rate that the policy has against each of its pool.

    The win rate is that of the last ``window`` games of training against an opponent, whichever version of the policy
    played them, a draw as half a win; ``prior`` games that came out even are added, so that one who was never met
    stands at 0.5. Where f is 0 for everybody each is as likely.
    """

    def __init__(
        self,
        model_registry: ModelRegistry,
        *,
        weighting: str = HARD,
        power: float = 2.0,
        window: int = 100,
        prior: float = 2.0,
        opponents: str = ALL,
        most: int = 32,
    ) -> None:
        super().__init__(model_registry, opponents=opponents, most=most)
        self.weighting, self._weigh = weighting, choose("weighting", weighting, WEIGHTINGS)
        if not power >= 0.0:
            raise UsageError(f"power must be at least 0, not {power}.")
        if window < 1:
            raise UsageError(f"window must be at least 1 game, not {window}.")
        if not prior > 0.0:
            raise UsageError(f"prior must be more than 0 games, not {prior}.")
        self.power, self.window, self.prior = power, window, prior
        self._scores: dict[str, deque[float]] = {}

    def win_rate(self, opponent: str) -> float:
        """Return the policy's win rate against ``opponent`` over the last games, drawn to 0.5 by the prior."""
        scores = self._scores.get(opponent, ())
        return (fsum(scores) + 0.5 * self.prior) / (len(scores) + self.prior)

    def weights(self) -> tuple[float, ...]:
        """Return the weight of each of ``candidates()``."""
        return tuple(self._weigh(self.win_rate(uid), self.power) for uid in self.candidates())

    def sample_opponent(self, seed: int) -> str:
        """Return an opponent by its weight."""
        return draw_weighted(self.candidates(), self.weights(), seed, "opponent")

    def update(self, opponent: str, score: float) -> None:
        """Take note of a game against ``opponent``; one who has left the pool is drawn no more."""
        if opponent in self.needs() or opponent in self.registry.fixed:
            self._scores.setdefault(opponent, deque(maxlen=self.window)).append(score)

    def _drop(self, uid: str) -> None:
        self._scores.pop(uid, None)

    def state_dict(self) -> dict[str, Any]:
        """Return the pool, and the last games against everybody in it."""
        return super().state_dict() | {"scores": {uid: list(scores) for uid, scores in self._scores.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back."""
        super().load_state_dict(state)
        self._scores = {uid: deque(scores, maxlen=self.window) for uid, scores in state["scores"].items()}
