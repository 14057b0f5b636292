"""Environments that come back by one way each: small, and each with one obstacle."""

import threading
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import EzPickle

EPISODE = 30
HIDDEN = {"episodes": 0}
"""What a simulator keeps in its process from one episode to the next."""


class Drift(gymnasium.Env[Any, Any]):
    """A number that drifts by chance and by the action; an episode ends when it is far off, or after EPISODE steps."""

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Begin near zero."""
        super().reset(seed=seed)
        self.at, self.taken = float(self.np_random.normal()), 0
        return self.observed(), {}

    def step(self, action: Any) -> Any:
        """Drift."""
        self.at += float(action) - 0.5 + 0.3 * self.chance()
        self.taken += 1
        return self.observed(), -abs(self.at), abs(self.at) > 6, self.taken == EPISODE, {}

    def chance(self) -> float:
        """The number that nobody foresees."""
        return float(self.np_random.normal())

    def observed(self) -> np.ndarray:
        """Where it is, and when."""
        return np.array([self.at, self.taken], np.float32)


class Locked(Drift):
    """Holds something that does not pickle."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Forgetful(Drift, EzPickle):
    """Pickles without an error, and comes back as it was constructed."""

    def __init__(self) -> None:
        Drift.__init__(self)
        EzPickle.__init__(self)
        self.reset(seed=0)


class GlobalNumpy(Drift):
    """Takes its chance from numpy's global generator."""

    def chance(self) -> float:
        """From the global generator."""
        return float(np.random.normal())


class Remembering(Locked):
    """A simulator whose episodes depend on how many its process has seen."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Begin further off each time."""
        found = super().reset(seed=seed)
        HIDDEN["episodes"] += 1
        self.at += HIDDEN["episodes"]
        return self.observed(), found[1]


class Clocked(Locked):
    """Depends on the time of day."""

    def chance(self) -> float:
        """From the clock."""
        return time.perf_counter_ns() % 1000 / 1000


class Mapped(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Observations as a dict."""

    def __init__(self) -> None:
        super().__init__(Drift())
        self.observation_space = gymnasium.spaces.Dict({"at": self.env.observation_space})

    def observation(self, observation: Any) -> Any:
        """In a dict."""
        return {"at": observation}
