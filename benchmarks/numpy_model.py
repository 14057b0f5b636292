"""The same intersection in plain NumPy: a reference for tests of the compiled core, a rival in benchmarks.

Written as one would without a compiler: whole-array operations over a batch, all roads and all cells at once,
into buffers made beforehand. Every road's cells stand in one long row behind a pad, whose "outflow" is what
enters the road, so that the whole batch is moved by one-dimensional operations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kit.traffic.demand import Demand
from kit.traffic.network import SEGMENTS, Intersection


class NumpyModel:
    """B intersections, stepped by NumPy; see ``kit.traffic.core`` for the model and the units."""

    def __init__(self, seeds: Sequence[int], intersection: Intersection, demand: Demand) -> None:
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
        self.lost_steps, self.min_green_steps = i.steps(i.lost_s), i.steps(i.min_green_s)
        self.arrivals = np.stack([demand.arrivals(seed) for seed in seeds])
        self.row = np.zeros(n * 8 * (i.cells + 1))
        self.flow, self.room = np.zeros_like(self.row), np.zeros_like(self.row)
        padded = self.row.reshape(n, 8, i.cells + 1)
        self.cells = padded[:, :, 1:]
        flows = self.flow.reshape(padded.shape)
        self.inflow, self.outflow = flows[:, :, 0], flows[:, :, -1]
        self.queues = np.zeros((n, 4))
        self.phase = np.zeros(n, dtype=np.int64)
        self.lost = np.zeros(n, dtype=np.int64)
        self.green = np.full(n, self.min_green_steps)
        self.clock = 0
        self.delay_s, self.left_veh, self.queue_veh = np.zeros(n), np.zeros(n), np.zeros(n)
        self.on_roads, self.spent, self.covered = np.zeros(n), np.zeros(n), np.zeros(n)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Show the phases (B,) for one decision interval; return (B, n_obs) and (B,) delays, veh·s."""
        i = self.intersection
        switching = (actions != self.phase) & (self.green >= self.min_green_steps) & (self.lost == 0)
        self.phase = np.where(switching, actions, self.phase)
        self.lost = np.where(switching, self.lost_steps, self.lost)
        self.green = np.where(switching, 0, self.green)
        arriving = self.arrivals[:, self.clock // self.interval_steps] / self.interval_steps
        self.spent[:], self.covered[:] = 0, -self._moment()
        for _ in range(self.interval_steps):
            self._step(arriving)
        self.clock += self.interval_steps
        self.covered += self._moment()
        delay_s = i.dt_s * self.spent - i.cell_m / i.free_flow_m_s * self.covered
        self.delay_s += delay_s
        self.queue_veh = self._queue()
        return self._observe(), delay_s

    def _step(self, arriving: np.ndarray) -> None:
        first, last = self.cells[:, :, 0].copy(), self.cells[:, :, -1].copy()
        np.multiply(self.row, self.send, out=self.flow)
        np.minimum(self.flow, self.top, out=self.flow)
        np.multiply(self.row, -self.wave, out=self.room)
        self.room += self.wave * self.jam
        np.minimum(self.flow[:-1], self.room[1:], out=self.flow[:-1])
        sending = np.minimum(self.send * last, self.top)
        taking = np.minimum(self.top, self.wave * (self.jam - first))
        self.queues += arriving
        entering = np.minimum(self.queues, taking[:, :4])
        self.queues -= entering
        crossing, into = self._cross(sending[:, :4], taking[:, 4:])
        self.inflow[:, :4], self.inflow[:, 4:] = entering, into
        self.outflow[:, :4], self.outflow[:, 4:] = crossing, sending[:, 4:]
        leaving = sending[:, 4:].sum(axis=1)
        self.spent += self.on_roads + self.queues.sum(axis=1)
        self.on_roads += entering.sum(axis=1) - leaving
        self.covered += self.intersection.cells * (crossing.sum(axis=1) + leaving)
        self.left_veh += leaving
        self.row -= self.flow
        self.row[1:] += self.flow[:-1]
        self.green += self.lost == 0
        np.maximum(self.lost - 1, 0, out=self.lost)

    def _cross(self, sending: np.ndarray, taking: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the flows over the stop lines and into the exits, (B, 4) each."""
        wanted = sending * (self.serves[self.phase] & (self.lost == 0)[:, None])
        into = wanted @ self.turning
        if (into > taking).any():
            share = np.ones_like(into)
            np.divide(taking, into, out=share, where=into > taking)
            wanted *= np.where(self.uses, share[:, None, :], 1.0).min(axis=2)
            into = wanted @ self.turning
        return wanted, into

    def _moment(self) -> np.ndarray:
        return np.asarray(self.cells.sum(axis=1) @ np.arange(self.intersection.cells))

    def _queue(self) -> np.ndarray:
        """Return (B,) Σ n·(1 − v/v_f) over the incoming cells, and the entry queues, veh."""
        lag, cells = self.intersection.wave_m_s / self.intersection.free_flow_m_s, self.cells[:, :4]
        slow = np.maximum(cells - lag * (self.jam - cells), 0)
        return np.asarray(slow.sum(axis=(1, 2)) + self.queues.sum(axis=1))

    def _observe(self) -> np.ndarray:
        i, n = self.intersection, len(self.cells)
        segments = self.cells[:, :4].reshape(n, 4 * SEGMENTS, -1).sum(axis=2)
        density = np.clip(segments / (i.cells // SEGMENTS * self.jam), 0, 1)
        waiting = np.minimum(self.queues / 50.0, 1)
        one_hot = self.phase[:, None] == np.arange(i.n_phases)
        green = np.minimum(self.green * i.dt_s / 120.0, 1)[:, None]
        return np.concatenate([density, waiting, one_hot, green], axis=1).astype(np.float32)
