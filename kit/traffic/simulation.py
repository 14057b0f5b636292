"""A batch of intersections in memory: the arrays the compiled core works on, and what is read from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit.errors import IntegrityError, UnknownNameError, UsageError
from kit.traffic import core
from kit.traffic.demand import Demand
from kit.traffic.network import Intersection
from kit.traffic.view import PRESSURE_RANGE_M, SignalView


class Simulation:
    """B intersections of one kind, each on a day of its own, advanced together by one call.

    Args:
        n: how many, B.
        intersection: roads and signal.
        demand: where the days are drawn from.
        reward: one of ``core.REWARDS``.

    Attributes:
        seeds: (B,) the day of each.
        observations: (B, n_obs) float32, after the latest call; overwritten by the next.
        rewards: (B,) of the latest decision interval.
        delays_s: (B,) delay accrued in the latest decision interval, veh·s.
        queues_veh: (B,) queue now, entry queues included.

    Raises:
        UnknownNameError: no reward of that name.
        UsageError: the demand has another decision interval than the intersection.
    """

    def __init__(self, n: int, intersection: Intersection, demand: Demand, reward: str = "delay") -> None:
        if reward not in core.REWARDS:
            raise UnknownNameError("reward", reward, core.REWARDS)
        if demand.interval_s != intersection.interval_s:
            raise UsageError(
                f"The demand's interval is {demand.interval_s} s, the signal's {intersection.interval_s} s."
            )
        self.n, self.intersection, self.demand, self.reward = n, intersection, demand, reward
        self.interval_steps = intersection.steps(intersection.interval_s)
        self._model = _model(intersection, core.REWARDS.index(reward))
        self._arrivals = np.zeros((n, demand.decisions, 4))
        self._cells = np.zeros((n, 8, intersection.cells))
        self._queues = np.zeros((n, 4))
        self._signals = np.zeros((n, 4), dtype=np.int64)
        self._tallies = np.zeros((n, core.TALLIES))
        self._state = (self._cells, self._queues, self._signals, self._tallies)
        self.seeds = np.zeros(n, dtype=np.int64)
        self.observations = np.zeros((n, intersection.n_observations), dtype=np.float32)
        self._measures = np.zeros((n, core.PRESSURE + intersection.n_phases))
        self.rewards = self._measures[:, core.REWARD]
        self.delays_s = self._measures[:, core.DELAY_S]
        self.queues_veh = self._measures[:, core.QUEUE_VEH]

    def reset(self, seeds: Sequence[int] | np.ndarray) -> None:
        """Empty the roads and begin the days ``seeds``; phase 0 shows, and has had its minimum green."""
        for array in (self._cells, self._queues, self._signals, self._tallies, self._measures):
            array[...] = 0
        self._signals[:, core.GREEN] = self.intersection.steps(self.intersection.min_green_s)
        self._begin(seeds)
        self._look()

    def step(self, actions: np.ndarray, steps: int | None = None) -> None:
        """Show the phases ``actions`` (B,) int64 for ``steps`` time steps, by default a decision interval.

        Phases must be legal: the core does not check them again.
        """
        core.advance(
            self._state,
            self._model,
            self._arrivals,
            actions,
            self.interval_steps if steps is None else steps,
            self.observations,
            self._measures,
        )

    @property
    def arrived_veh(self) -> np.ndarray:
        """(B,) vehicles that have wanted to enter so far."""
        return self._tallies[:, core.ARRIVED]

    @property
    def left_veh(self) -> np.ndarray:
        """(B,) vehicles that have left the network."""
        return self._tallies[:, core.LEFT]

    @property
    def delay_s(self) -> np.ndarray:
        """(B,) delay accrued since the start, up to the end of the latest decision interval, veh·s."""
        return self._tallies[:, core.DELAY]

    @property
    def road_veh(self) -> np.ndarray:
        """(B, 8) vehicles on each road: N, E, S, W inwards, then outwards."""
        return np.asarray(self._cells.sum(axis=2))

    @property
    def cell_veh(self) -> np.ndarray:
        """(B, 8, cells) vehicles in each cell, in the direction of travel; a live view of the state."""
        return self._cells

    @property
    def entry_veh(self) -> np.ndarray:
        """(B, 4) vehicles waiting to enter; a live view of the state."""
        return self._queues

    def outcome(self, b: int) -> dict[str, float]:
        """Return delay per vehicle, vehicles that wanted to enter, and those not yet left, of day ``b``."""
        vehicles = float(self.arrived_veh[b])
        return {
            "delay_s_per_vehicle": float(self.delay_s[b]) / vehicles if vehicles else 0.0,
            "vehicles": vehicles,
            "unfinished": vehicles - float(self.left_veh[b]),
        }

    def views(self) -> list[SignalView]:
        """Return what a controller may see of each intersection."""
        dt_s, n_phases = self.intersection.dt_s, self.intersection.n_phases
        core.press(self._state, self._model, self._measures)
        pressures = self._measures[:, core.PRESSURE :].copy()
        return [
            SignalView(
                signal[core.CLOCK] * dt_s, signal[core.PHASE], signal[core.GREEN] * dt_s, n_phases, pressure
            )
            for signal, pressure in zip(self._signals.tolist(), pressures, strict=True)
        ]

    def get_state(self) -> dict[str, Any]:
        """Return copies of everything that the future depends on; arrays only."""
        return {
            "cells": self._cells.copy(),
            "queues": self._queues.copy(),
            "signals": self._signals.copy(),
            "tallies": self._tallies.copy(),
            "measures": self._measures.copy(),
            "seeds": self.seeds.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``get_state`` was called, in this or another process.

        Raises:
            IntegrityError: an array has another shape than this simulation's.
        """
        arrays = {"cells": self._cells, "queues": self._queues, "signals": self._signals}
        arrays |= {"tallies": self._tallies, "measures": self._measures, "seeds": self.seeds}
        for name, array in arrays.items():
            there = np.asarray(state[name])
            if there.shape != array.shape:
                raise IntegrityError(
                    f"State {name!r} has shape {there.shape}; this simulation's is {array.shape}."
                )
            array[...] = there
        self._begin(self.seeds)
        self._look()

    def _begin(self, seeds: Sequence[int] | np.ndarray) -> None:
        for b, seed in enumerate(seeds):
            self.seeds[b] = seed
            self._arrivals[b] = self.demand.arrivals(int(seed))

    def _look(self) -> None:
        self.step(self._signals[:, core.PHASE].copy(), steps=0)


def _model(intersection: Intersection, reward: int) -> tuple[Any, ...]:
    """Return the constants of the core: rates, times (steps), turning shares, served approaches, reward."""
    i = intersection
    wave = i.wave_m_s * i.dt_s / i.cell_m
    jam = i.jam_veh_m * i.cell_m
    rates = (
        i.free_flow_m_s * i.dt_s / i.cell_m,
        i.saturation_veh_s * i.dt_s,
        wave,
        wave * jam,
        i.dt_s,
        i.cell_m / i.free_flow_m_s,
        jam,
        i.wave_m_s / i.free_flow_m_s,
    )
    reach = min(i.cells, round(PRESSURE_RANGE_M / i.cell_m))
    times = (i.steps(i.interval_s), i.steps(i.lost_s), i.steps(i.min_green_s), reach)
    serves = np.array([[a in phase for a in range(4)] for phase in i.phases])
    return rates, times, i.segment_edges, np.array(i.turning, dtype=np.float64), serves, reward
