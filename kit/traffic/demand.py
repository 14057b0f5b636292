"""How many vehicles want to enter, where and when: profiles of mean rates, and days drawn from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kit.errors import UnknownNameError, UsageError

HORIZON_DECISIONS = 240
"""Decisions in an episode: one hour at 15 s."""

MEAN_VEH_H = 600.0
"""Mean rate per approach of the named profiles."""


@dataclass(frozen=True)
class Demand:
    """Mean arrival rates, and the randomness of a day around them.

    Attributes:
        name: how it is called.
        rates_veh_h: (D, 4) mean rate in each decision interval at approaches N, E, S, W, veh/h.
        interval_s: length of an interval, s.
        poisson: whether the vehicles of an interval are drawn from a Poisson distribution of that mean, each
            approach and interval on its own; otherwise exactly the mean arrives.
    """

    name: str
    rates_veh_h: np.ndarray
    interval_s: float = 15.0
    poisson: bool = True

    def __post_init__(self) -> None:
        rates = np.asarray(self.rates_veh_h)
        if rates.ndim != 2 or rates.shape[1] != 4 or not len(rates):
            raise UsageError(f"Demand rates have shape {rates.shape}; legal is (intervals, 4).")
        if not np.isfinite(rates).all() or (rates < 0).any():
            raise UsageError(
                f"Demand rates lie in {rates.min():g} to {rates.max():g} veh/h; they must be finite, >= 0."
            )

    @property
    def decisions(self) -> int:
        """How many decision intervals the day has."""
        return len(self.rates_veh_h)

    def arrivals(self, seed: int) -> np.ndarray:
        """Return (D, 4) vehicles that want to enter in each interval of day ``seed``."""
        mean = self.rates_veh_h * (self.interval_s / 3600)
        if not self.poisson:
            return np.asarray(mean, dtype=np.float64)
        return np.random.Generator(np.random.PCG64(seed)).poisson(mean).astype(np.float64)


def _constant(north_south: float, east_west: float) -> np.ndarray:
    return np.tile([north_south, east_west, north_south, east_west], (HORIZON_DECISIONS, 1))


def _varying() -> np.ndarray:
    """Rates of ``varying``: the main direction changes over the hour, in steps of five minutes."""
    step_min = 5
    wave = [math.sin(2 * math.pi * (start + step_min / 2) / 60) for start in range(0, 60, step_min)]
    swing = 0.5 * MEAN_VEH_H * np.repeat(wave, HORIZON_DECISIONS // len(wave))
    return np.stack([MEAN_VEH_H + swing, MEAN_VEH_H - swing] * 2, axis=1)


PROFILES = {
    "balanced": _constant(MEAN_VEH_H, MEAN_VEH_H),
    "3to1": _constant(1.5 * MEAN_VEH_H, 0.5 * MEAN_VEH_H),
    "varying": _varying(),
}
"""Mean rates (240, 4) in veh/h of the named profiles, each 600 veh/h over the hour and the four approaches.

``balanced``: 600 everywhere. ``3to1``: 900 from north and south, 300 from east and west. ``varying``: north
and south 600 + 300·sin(2πt/1 h), east and west 600 − 300·sin(2πt/1 h), in steps of 5 min.
"""


def profile(name: str) -> Demand:
    """Return the named profile with Poisson arrivals.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in PROFILES:
        raise UnknownNameError("demand profile", name, PROFILES)
    return Demand(name, PROFILES[name])
