"""A heated plate: an environment whose step is slow because it computes much, as simulators do."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

SIDE = 128
SUBSTEPS = 100
DIFFUSION = 0.2  # below 0.25, where the explicit scheme is stable
HEAT = 0.05
COOLING = 0.002
WANTED = 1.0
HORIZON = 60
PROBES = tuple(SIDE // 6 + SIDE // 3 * i for i in range(3))


class HeatedPlate(gymnasium.Env[np.ndarray, np.int64]):
    """Hold a square plate at one temperature with one heater at a time.

    The plate is SIDE × SIDE cells; a step is SUBSTEPS explicit steps of ∂T/∂t = D ∇²T + heat − c T with cold edges.

    Observation: Box(-10, 10, (9,), float32): the temperature at 3 × 3 probes less the one that is wanted.
    Action: Discrete(5): 0 heats nothing, 1 to 4 heat the quarter of that number, row by row.
    Reward: minus the mean distance of the probes from the temperature that is wanted.
    Beginning: smooth random warmth. End: truncated after HORIZON steps, never terminated.
    """

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-10.0, 10.0, (9,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(5)
        self._warmth = np.zeros((SIDE + 2, SIDE + 2))
        self._step = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin with four random temperatures, one a quarter, that have run into each other a little."""
        super().reset(seed=seed, options=options)
        quarters = self.np_random.uniform(0.0, 2.0 * WANTED, (2, 2))
        self._warmth[:] = 0.0
        self._warmth[1:-1, 1:-1] = np.kron(quarters, np.ones((SIDE // 2, SIDE // 2)))
        self._step = 0
        return self._observation(), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Heat as ``action`` says for SUBSTEPS explicit steps."""
        heat = np.zeros((SIDE, SIDE))
        if action:
            row, column = divmod(int(action) - 1, 2)
            half = SIDE // 2
            heat[row * half : (row + 1) * half, column * half : (column + 1) * half] = HEAT
        for _ in range(SUBSTEPS):
            self._diffuse(heat)
        self._step += 1
        seen = self._observation()
        return seen, -float(np.abs(seen).mean()), False, self._step >= HORIZON, {}

    def _diffuse(self, heat: np.ndarray) -> None:
        t = self._warmth
        inner = t[1:-1, 1:-1]
        around = t[:-2, 1:-1] + t[2:, 1:-1] + t[1:-1, :-2] + t[1:-1, 2:] - 4.0 * inner
        inner += DIFFUSION * around + heat - COOLING * inner

    def _observation(self) -> np.ndarray:
        probes = self._warmth[1:-1, 1:-1][np.ix_(PROBES, PROBES)]
        return np.clip(probes - WANTED, -10.0, 10.0).astype(np.float32).ravel()
