"""Final reward transforms: once for each player of a game, when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.errors import UsageError
from kit.league.reward_transforms.transform import RewardTransform


class FinalRewardTransform(RewardTransform):
    """Turns the reward that the game gave a player into the one that its steps are built on."""

    def __call__(self, reward: float, pid: int, env_id: str | None = None) -> float:
        """Return the transformed reward of player ``pid``."""
        raise NotImplementedError


class RoleAdvantageFormatter(FinalRewardTransform):
    """Subtracts what players in that seat got on average: an exponential moving average over all games.

    The reward is held against the average before it, which then moves by a share ``tau`` towards it: a baseline that
    does not know the outcome leaves the policy gradient unbiased. It starts at 0.
    """

    def __init__(self, tau: float = 0.001) -> None:
        if not 0.0 < tau <= 1.0:
            raise UsageError(f"tau must be a share above 0 and at most 1, not {tau}.")
        self.tau = tau
        self.averages: dict[tuple[str, int], float] = {}

    def __call__(self, reward: float, pid: int, env_id: str | None = None) -> float:
        """Return the reward relative to the seat's average, and move that."""
        key = (self._bucket(env_id), pid)
        average = self.averages.get(key, 0.0)
        self.averages[key] = average + self.tau * (reward - average)
        return reward - average

    def _bucket(self, env_id: str | None) -> str:
        """Return what shares averages; here every environment does."""
        del env_id
        return ""

    def state_dict(self) -> dict[str, Any]:
        """Return the averages."""
        return {"averages": [[*key, average] for key, average in self.averages.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back."""
        self.averages = {(env_id, pid): average for env_id, pid, average in state["averages"]}


class RoleAdvantageByEnvFormatter(RoleAdvantageFormatter):
    """The same, with averages of each environment's own."""

    def _bucket(self, env_id: str | None) -> str:
        return env_id or ""
