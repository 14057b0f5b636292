"""Model samplers: whom the policy that learns plays against: itself, fixed opponents, or its own past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kit.errors import UsageError
from kit.league.draws import draw_one
from kit.league.model_registry import ModelRegistry


class BaseModelSampler:
    """Knows the current policy only, and gives it as the opponent.

    A sampler of one's own overrides ``sample_opponent``; ``update`` where it learns from games, with ``state_dict`` and
    ``load_state_dict``; and ``needs`` where it plays more than the current policy.
    """

    def __init__(self, model_registry: ModelRegistry) -> None:
        self.registry = model_registry

    def sample_opponent(self, seed: int) -> str:
        """Return who plays against the current policy in the game of this seed.

        Raises:
            UsageError: there is nobody whom it could draw.
        """
        del seed
        return self.registry.current

    def needs(self) -> tuple[str, ...]:
        """Return the checkpoints that it may still draw, now or later: their adapters have to stay on disk.

        Once a checkpoint is not among them it never is again.
        """
        return (self.registry.current,)

    def update(self, opponent: str, score: float) -> None:
        """Take note of a game of training against ``opponent``: 1 won, 0.5 drawn, 0 lost."""

    def state_dict(self) -> dict[str, Any]:
        """Return what its draws depend on beside the seed and the registry."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put that back."""


class MirrorModelSampler(BaseModelSampler):
    """The current policy plays against itself."""


class FixedOpponentModelSampler(BaseModelSampler):
    """Fixed opponents, each as often as any other: those named, or all that the registry holds when it draws."""

    def __init__(self, model_registry: ModelRegistry, names: Sequence[str] | None = None) -> None:
        super().__init__(model_registry)
        for name in names or ():
            model_registry.entry(name)
        self.names = None if names is None else tuple(names)

    def sample_opponent(self, seed: int) -> str:
        """Return a fixed opponent."""
        there = self.registry.fixed if self.names is None else self.names
        if not there:
            raise UsageError("There is no fixed opponent to draw: add one to the registry.")
        return draw_one(there, seed, "opponent")


class LaggedModelSampler(BaseModelSampler):
    """Checkpoints from a while ago: between ``lag_range[0]`` and ``lag_range[1]`` of them back, each as likely.

    As long as there are too few the oldest stands in for those that are not there.
    """

    def __init__(self, model_registry: ModelRegistry, lag_range: tuple[int, int] = (1, 7)) -> None:
        super().__init__(model_registry)
        least, most = lag_range
        if not 0 <= least <= most:
            raise UsageError(
                f"lag_range must be two numbers of checkpoints, 0 <= a <= b, not {tuple(lag_range)}."
            )
        self.lag_range = (least, most)

    def sample_opponent(self, seed: int) -> str:
        """Return a checkpoint of that age."""
        there, (least, most) = self.registry.checkpoints, self.lag_range
        lag = draw_one(range(least, most + 1), seed, "opponent")
        return there[max(0, len(there) - 1 - lag)]

    def needs(self) -> tuple[str, ...]:
        """Return the newest, as far back as it reaches."""
        return self.registry.checkpoints[-1 - self.lag_range[1] :]
