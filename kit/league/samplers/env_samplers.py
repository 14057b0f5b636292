"""Environment samplers: which game is played next, by chance alone, by weights, or by how the league does lately."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from kit.errors import UsageError
from kit.league.draws import draw_one, draw_weighted
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec


class BaseEnvSampler:
    """Draws specs. A sampler of one's own overrides ``sample_train``, and ``update`` where it learns from games.

    Evaluation takes each game as often as any other, whatever training takes: its figures are to be comparable.
    """

    def __init__(
        self, train_env_specs: Sequence[TrainEnvSpec], eval_env_specs: Sequence[EvalEnvSpec] | None = None
    ) -> None:
        if not train_env_specs:
            raise UsageError("train_env_specs must hold at least one game to learn from.")
        self.train_env_specs = tuple(train_env_specs)
        self.eval_env_specs = tuple(eval_env_specs or ())

    def sample_train(self, seed: int) -> TrainEnvSpec:
        """Return the game to learn from next."""
        return draw_one(self.train_env_specs, seed, "environment")

    def sample_eval(self, seed: int) -> EvalEnvSpec:
        """Return the game to be measured by next.

        Raises:
            UsageError: there is none.
        """
        if not self.eval_env_specs:
            raise UsageError("There is nothing to evaluate: eval_env_specs is empty.")
        return draw_one(self.eval_env_specs, seed, "environment")

    def update(self, env_id: str, reward: float) -> None:
        """Take note that a game of training gave its actors this reward on average, as the game counts."""

    def state_dict(self) -> dict[str, Any]:
        """Return what its draws depend on beside the seed."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put that back."""


class UniformRandomEnvSampler(BaseEnvSampler):
    """Takes each game as often as any other."""


class WeightedEnvSampler(BaseEnvSampler):
    """Takes games by fixed weights, one for each of ``train_env_specs``, in their order; only their ratios count."""

    def __init__(
        self,
        train_env_specs: Sequence[TrainEnvSpec],
        eval_env_specs: Sequence[EvalEnvSpec] | None = None,
        *,
        weights: Sequence[float],
    ) -> None:
        super().__init__(train_env_specs, eval_env_specs)
        self.weights = tuple(float(weight) for weight in weights)
        if len(self.weights) != len(self.train_env_specs):
            raise UsageError(f"{len(self.weights)} weights were given for {len(self.train_env_specs)} games.")
        if not all(math.isfinite(one) and one >= 0.0 for one in self.weights) or not any(self.weights):
            raise UsageError(f"Weights must be finite, at least 0, and not all 0; not {list(self.weights)}.")

    def sample_train(self, seed: int) -> TrainEnvSpec:
        """Return the game to learn from next."""
        return draw_weighted(self.train_env_specs, self.weights, seed, "environment")


class RecentRewardEnvSampler(BaseEnvSampler):
    """Takes those games more often that the league does worse in lately.

    The weight of a game is exp(−m/temperature), with m the mean reward of its last ``window`` games, 0 before the
    first; a share of ``uniform`` of the draws goes by chance alone, so that no game is given up. In a mirror game of
    zero sum m is always 0: there is nothing to go by, and it is taken as one that comes out even.
    """

    def __init__(
        self,
        train_env_specs: Sequence[TrainEnvSpec],
        eval_env_specs: Sequence[EvalEnvSpec] | None = None,
        *,
        window: int = 100,
        temperature: float = 1.0,
        uniform: float = 0.2,
    ) -> None:
        super().__init__(train_env_specs, eval_env_specs)
        if window < 1:
            raise UsageError(f"window must be at least 1 game, not {window}.")
        if not temperature > 0.0:
            raise UsageError(f"temperature must be more than 0, not {temperature}.")
        if not 0.0 <= uniform <= 1.0:
            raise UsageError(f"uniform must be a share from 0 to 1, not {uniform}.")
        self.window, self.temperature, self.uniform = window, temperature, uniform
        self._rewards = {one.env_id: deque[float](maxlen=window) for one in self.train_env_specs}

    def sample_train(self, seed: int) -> TrainEnvSpec:
        """Return the game to learn from next."""
        return draw_weighted(self.train_env_specs, self.probabilities(), seed, "environment")

    def probabilities(self) -> tuple[float, ...]:
        """Return how likely each of ``train_env_specs`` is next."""
        wants = [-self._mean(one.env_id) / self.temperature for one in self.train_env_specs]
        weights = [math.exp(want - max(wants)) for want in wants]
        total = math.fsum(weights)
        even = self.uniform / len(weights)
        return tuple(even + (1.0 - self.uniform) * weight / total for weight in weights)

    def update(self, env_id: str, reward: float) -> None:
        """Take note of a game's reward; games that are not learnt from are nothing to it."""
        if env_id in self._rewards:
            self._rewards[env_id].append(reward)

    def _mean(self, env_id: str) -> float:
        rewards = self._rewards[env_id]
        return math.fsum(rewards) / len(rewards) if rewards else 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the rewards of the last games."""
        return {"rewards": {env_id: list(rewards) for env_id, rewards in self._rewards.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back; those of games that are not learnt from any more are left out."""
        for env_id, rewards in self._rewards.items():
            rewards.clear()
            rewards.extend(state["rewards"].get(env_id, ()))


ENV_SAMPLERS: Mapping[str, type[BaseEnvSampler]] = {
    "random": UniformRandomEnvSampler,
    "weighted": WeightedEnvSampler,
    "recent-reward": RecentRewardEnvSampler,
}
"""By the names that ``build()`` takes as its ``env_sampling_strategy``."""
