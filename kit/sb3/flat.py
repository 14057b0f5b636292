"""Observations of a vectorised environment as plain vectors, and the bounds that their space sets."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

MOST_COMPONENTS = 4096
"""Of larger observations (images) every so many-th component is looked at."""


def flat(observations: Any, n_envs: int) -> np.ndarray:
    """Return (E, D) of observations as a VecEnv gives them: an array, or a dict of arrays, in the order of its keys."""
    if isinstance(observations, dict):
        parts = [np.asarray(observations[key]).reshape(n_envs, -1) for key in sorted(observations)]
        whole = np.concatenate(parts, axis=1)
    else:
        whole = np.asarray(observations).reshape(n_envs, -1)
    return whole[:, :: _stride(whole.shape[1])].astype(np.float64)


def bounds(space: spaces.Space[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return (D,) least and largest values that ``space`` allows, in the order of ``flat``."""
    low, high = _bounds(space)
    stride = _stride(len(low))
    return low[::stride], high[::stride]


def _stride(components: int) -> int:
    return max(1, -(-components // MOST_COMPONENTS))


def _bounds(space: spaces.Space[Any]) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(space, spaces.Dict):
        pairs = [_bounds(space.spaces[key]) for key in sorted(space.spaces)]
        return np.concatenate([low for low, _ in pairs]), np.concatenate([high for _, high in pairs])
    if isinstance(space, spaces.Box):
        return space.low.ravel().astype(np.float64), space.high.ravel().astype(np.float64)
    if isinstance(space, spaces.Discrete):
        return np.array([float(space.start)]), np.array([float(space.start + space.n - 1)])
    if isinstance(space, spaces.MultiDiscrete):
        least = np.asarray(space.start).ravel().astype(np.float64)
        return least, least + space.nvec.ravel() - 1
    size = int(np.prod(space.shape or (1,)))
    upper = 1.0 if isinstance(space, spaces.MultiBinary) else np.inf
    return np.full(size, 0.0 if upper == 1.0 else -np.inf), np.full(size, upper)
