"""Match quality: opponents about as strong as the policy itself, as far as ratings tell."""

from __future__ import annotations

from kit.errors import UsageError
from kit.league.draws import draw_weighted
from kit.league.model_registry import ModelRegistry
from kit.league.samplers.pool import ALL, PoolModelSampler


class MatchQualityModelSampler(PoolModelSampler):
    """Draws by TrueSkill's match quality, to the power of ``sharpness`` (0: each as likely)."""

    def __init__(
        self,
        model_registry: ModelRegistry,
        *,
        sharpness: float = 1.0,
        opponents: str = ALL,
        most: int = 32,
    ) -> None:
        super().__init__(model_registry, opponents=opponents, most=most)
        if not sharpness >= 0.0:
            raise UsageError(f"sharpness must be at least 0, not {sharpness}.")
        self.sharpness = sharpness

    def weights(self) -> tuple[float, ...]:
        """Return the weight of each of ``candidates()``."""
        current = self.registry.current
        return tuple(self.registry.quality(current, uid) ** self.sharpness for uid in self.candidates())

    def sample_opponent(self, seed: int) -> str:
        """Return an opponent, the likelier the closer the match."""
        return draw_weighted(self.candidates(), self.weights(), seed, "opponent")
