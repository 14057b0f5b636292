"""Step reward transforms: once for each step of a player, when its game is over."""

from __future__ import annotations

from kit.league.reward_transforms.transform import RewardTransform
from kit.league.trajectory import Trajectory


class StepRewardTransform(RewardTransform):
    """Turns the reward of one step into another, knowing all of the player's steps."""

    def __call__(self, player_traj: Trajectory, step_index: int, reward: float) -> float:
        """Return the transformed reward of step ``step_index`` of the trajectory."""
        raise NotImplementedError


class RewardForFormat(StepRewardTransform):
    """Adds ``reward`` where the answer had the form that the template asks for, ``penalty`` where it had not."""

    def __init__(self, reward: float = 0.0, penalty: float = 0.0) -> None:
        self.reward, self.penalty = reward, penalty

    def __call__(self, player_traj: Trajectory, step_index: int, reward: float) -> float:
        """Return the reward with one of the two added."""
        return reward + (self.reward if player_traj.steps[step_index].format_ok else self.penalty)


class PenaltyForInvalidMove(StepRewardTransform):
    """Adds ``reward`` where the game took the move, ``penalty`` (a negative number) where it did not."""

    def __init__(self, reward: float = 0.0, penalty: float = -1.0) -> None:
        self.reward, self.penalty = reward, penalty

    def __call__(self, player_traj: Trajectory, step_index: int, reward: float) -> float:
        """Return the reward with one of the two added."""
        return reward + (self.reward if player_traj.steps[step_index].legal else self.penalty)
