"""The same intersection in plain NumPy: a reference for tests of the compiled core, a rival in benchmarks.

Written as one would without a compiler: whole-array operations over a batch, all roads and all cells at once.
It takes the flows' own sums where the core takes moments, so that the two agree only if both are right.
"""

from __future__ import annotations

import numpy as np

from kit.traffic.demand import Demand
from kit.traffic.network import SEGMENTS, Intersection


class NumpyModel:
    """B intersections, stepped by NumPy; see ``kit.traffic.core`` for the model and the units."""

    def __init__(self, seeds: list[int], intersection: Intersection, demand: Demand) -> None:
        i, n = intersection, len(seeds)
        self.intersection = i
        self.send = i.free_flow_m_s * i.dt_s / i.cell_m
        self.top = i.saturation_veh_s * i.dt_s
        self.wave = i.wave_m_s * i.dt_s / i.cell_m
        self.jam = i.jam_veh_m * i.cell_m
        self.turning = np.array(i.turning)
        self.uses = self.turning > 0
        self.serves = np.array([[a in phase for a in range(4)] for phase in i.phases])
        self.interval_steps = i.steps(i.interval_s)
        self.arrivals = np.stack([demand.arrivals(seed) for seed in seeds])
        self.cells = np.zeros((n, 8, i.cells))
        self.queues = np.zeros((n, 4))
        self.phase = np.zeros(n, dtype=np.int64)
        self.lost = np.zeros(n, dtype=np.int64)
        self.green = np.full(n, i.steps(i.min_green_s))
        self.clock = 0
        self.delay_s = np.zeros(n)
        self.left_veh = np.zeros(n)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Show the phases (B,) for one decision interval; return (B, n_obs) and (B,) delays, veh·s."""
        i = self.intersection
        switching = (actions != self.phase) & (self.green >= i.steps(i.min_green_s)) & (self.lost == 0)
        self.phase = np.where(switching, actions, self.phase)
        self.lost = np.where(switching, i.steps(i.lost_s), self.lost)
        self.green = np.where(switching, 0, self.green)
        arriving = self.arrivals[:, self.clock // self.interval_steps] / self.interval_steps
        before_s = self.delay_s.copy()
        for _ in range(self.interval_steps):
            self._step(arriving)
            self.clock += 1
        return self._observe(), self.delay_s - before_s

    def _step(self, arriving: np.ndarray) -> None:
        i, cells = self.intersection, self.cells
        sending = np.minimum(self.send * cells, self.top)
        taking = np.minimum(self.top, self.wave * (self.jam - cells))
        flows = np.empty(
            (len(cells), 8, i.cells + 1)
        )  # over the upstream edge of each cell, and out of the last
        np.minimum(sending[:, :, :-1], taking[:, :, 1:], out=flows[:, :, 1:-1])
        self.queues += arriving
        flows[:, :4, 0] = np.minimum(self.queues, taking[:, :4, 0])
        self.queues -= flows[:, :4, 0]
        flows[:, :4, -1], flows[:, 4:, 0] = self._cross(sending[:, :4, -1], taking[:, 4:, 0])
        flows[:, 4:, -1] = sending[:, 4:, -1]
        covered_m = flows[:, :, 1:].sum(axis=(1, 2)) * i.cell_m
        spent_s = (cells.sum(axis=(1, 2)) + self.queues.sum(axis=1)) * i.dt_s
        self.delay_s += spent_s - covered_m / i.free_flow_m_s
        self.left_veh += flows[:, 4:, -1].sum(axis=1)
        cells += flows[:, :, :-1] - flows[:, :, 1:]
        self.green += self.lost == 0
        self.lost = np.maximum(self.lost - 1, 0)

    def _cross(self, sending: np.ndarray, taking: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the flows over the stop lines and into the exits, (B, 4) each."""
        wanted = np.where(self.serves[self.phase] & (self.lost == 0)[:, None], sending, 0.0)
        into = wanted @ self.turning
        share = np.ones_like(into)
        np.divide(taking, into, out=share, where=into > taking)
        passing = np.where(self.uses, share[:, None, :], 1.0).min(axis=2)
        crossing = wanted * passing
        return crossing, crossing @ self.turning

    def _observe(self) -> np.ndarray:
        i, n = self.intersection, len(self.cells)
        segments = self.cells[:, :4].reshape(n, 4 * SEGMENTS, -1).sum(axis=2)
        density = np.clip(segments / (i.cells // SEGMENTS * self.jam), 0, 1)
        waiting = np.minimum(self.queues / 50.0, 1)
        one_hot = self.phase[:, None] == np.arange(i.n_phases)
        green = np.minimum(self.green * i.dt_s / 120.0, 1)[:, None]
        return np.concatenate([density, waiting, one_hot, green], axis=1).astype(np.float32)
