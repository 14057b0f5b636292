"""Generalised advantage estimation over one player's own turns (Schulman et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from kit.errors import UsageError


def gae(
    rewards: Sequence[float], values: Sequence[float], gamma: float = 1.0, lam: float = 1.0
) -> tuple[list[float], list[float]]:
    """Return advantages and returns of the turns of one player in one game that has ended.

    δ_t = r_t + γ V_{t+1} − V_t and A_t = δ_t + γλ A_{t+1}, with V and A zero behind the last turn; R_t = A_t + V_t.
    With γ = λ = 1 the return is what is still to come, R_t = r_t + r_{t+1} + …, and the advantage R_t − V_t.

    Args:
        rewards: of each turn, in order; what the game gave at its end is in the last turn's and nowhere else.
        values: of the state that the player saw at each of them.
        gamma: discount for each own turn, 0 to 1.
        lam: 0 trusts the values, 1 the rewards.

    Raises:
        UsageError: not as many values as rewards, or γ or λ outside [0, 1].
    """
    if len(rewards) != len(values):
        raise UsageError(f"There are {len(rewards)} rewards and {len(values)} values; each turn has both.")
    for name, value in (("gamma", gamma), ("lam", lam)):
        if not 0.0 <= value <= 1.0:
            raise UsageError(f"{name} must be from 0 to 1, not {value}.")
    advantages: list[float] = []
    advantage = following = 0.0
    for reward, value in zip(reversed(rewards), reversed(values), strict=True):
        advantage = reward + gamma * following - value + gamma * lam * advantage
        following = value
        advantages.append(advantage)
    advantages.reverse()
    return advantages, [here + value for here, value in zip(advantages, values, strict=True)]


def normalised(advantages: Sequence[float]) -> list[float]:
    """Return (A − mean) / standard deviation of the whole batch; all equal, there is nothing to prefer: all 0."""
    if not advantages or max(advantages) == min(advantages):
        return [0.0] * len(advantages)
    mean = fsum(advantages) / len(advantages)
    centred = [one - mean for one in advantages]
    deviation = (fsum(one * one for one in centred) / len(centred)) ** 0.5
    return [one / (deviation + 1e-8) for one in centred]
