"""The smallest thing that can be trained: a random walk with a state, exact to the last bit."""

import threading
from typing import Any

import numpy as np


class Walk:
    """A vector that a generator of its own moves; ``pause_s`` makes a step take its time."""

    def __init__(self, seed: int, pause_s: float = 0.0) -> None:
        self.at = np.zeros(8)
        self._pause_s = pause_s
        self._generator = np.random.default_rng(seed)

    def advance(self) -> float:
        """Take one step; its randomness is of two sources, this object's and numpy's global one."""
        self.at = 0.99 * self.at + self._generator.normal(size=8) + np.random.normal(size=8)
        if self._pause_s:
            threading.Event().wait(self._pause_s)
        return float(np.abs(self.at).mean())

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides the steps to come."""
        return {"at": self.at, "generator": dict(self._generator.bit_generator.state)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from there."""
        self.at = state["at"]
        self._generator.bit_generator.state = state["generator"]
