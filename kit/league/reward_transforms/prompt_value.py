"""PromptValue: what a step is worth beyond its prompt, by a table of what came of the same prompt before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from kit.errors import UsageError
from kit.league.reward_transforms.step import StepRewardTransform
from kit.league.trajectory import Step, Trajectory

TRUST = 3.0
"""Visits after which a prompt's value counts as much as the game's own course."""


class PromptValue(StepRewardTransform):
    """Turns the reward of a game into each step's advantage, for games that come through the same positions again.

    A table has the value V of each prompt, from n visits. Of a player's steps 0 … T in a game that brought R

        G_T = R,   G_t = (1 − w) G_{t+1} + w V(s_{t+1}),   w = (1 − λ) n(s_{t+1}) / (n(s_{t+1}) + 3)
        A_t = G_t − V(s_t) n(s_t) / (n(s_t) + 1)

    and behind the last of them each V moves by a share max(1 / n, ``tau``) towards its G. That is TD(λ) where the
    table knows a position (Sutton 1988; Schulman et al. 2016 for A), the plain return where it does not. A persistent
    value for each prompt as a baseline is that of Single-stream Policy Optimization (Xu & Ding 2025). V, as it was
    before the game, does not know the move, so the baseline leaves the gradient unbiased; λ below 1 trades bias for
    less noise.

    It belongs first in a row, for learners of single steps: there every step comes with the reward of the game.

    Args:
        lam: λ, from 0, which trusts the table, to 1, which trusts how games end.
        tau: least share of a new game in a value: the policy changes, and old games tell less of it.
        most: prompts in the table; the one that was not seen for longest is dropped.
    """

    def __init__(self, lam: float = 0.8, tau: float = 0.02, most: int = 50_000) -> None:
        if not 0.0 <= lam <= 1.0:
            raise UsageError(f"lam must be from 0 to 1, not {lam}.")
        if not 0.0 < tau <= 1.0:
            raise UsageError(f"tau must be a share above 0 and at most 1, not {tau}.")
        if most < 1:
            raise UsageError(f"most must be at least 1 prompt, not {most}.")
        self.lam, self.tau, self.most = lam, tau, most
        self.values: dict[str, tuple[float, int]] = {}

    def __call__(self, player_traj: Trajectory, step_index: int, reward: float) -> float:
        """Return the advantage of step ``step_index``; with the last one the table learns of the game."""
        steps = player_traj.steps
        returns = self._returns(steps, reward)
        value, visits = self.values.get(_key(steps[step_index]), (0.0, 0))
        if step_index == len(steps) - 1:
            for step, one in zip(steps, returns, strict=True):
                self._learn(_key(step), one)
        return returns[step_index] - value * visits / (visits + 1)

    def _returns(self, steps: tuple[Step, ...], reward: float) -> list[float]:
        found = [reward]
        for step in reversed(steps[1:]):
            value, visits = self.values.get(_key(step), (0.0, 0))
            trust = (1.0 - self.lam) * visits / (visits + TRUST)
            found.append((1.0 - trust) * found[-1] + trust * value)
        return found[::-1]

    def _learn(self, key: str, one: float) -> None:
        value, visits = self.values.pop(key, (0.0, 0))
        visits += 1
        self.values[key] = (value + (one - value) * max(1.0 / visits, self.tau), visits)
        if len(self.values) > self.most:
            del self.values[next(iter(self.values))]

    def state_dict(self) -> dict[str, Any]:
        """Return the table, the prompt that was not seen for longest first."""
        return {"values": [[key, value, visits] for key, (value, visits) in self.values.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        self.values = {key: (float(value), int(visits)) for key, value, visits in state["values"]}


def _key(step: Step) -> str:
    """Return what tells a position of a seat in a game from others, in few bytes however long the prompt is."""
    told = f"{step.env_id}\n{step.pid}\n{step.prompt}"
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
