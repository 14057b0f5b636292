"""The intersection: roads, fundamental diagram, turning shares and signal, as one validated config."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kit.errors import UsageError

APPROACHES = ("N", "E", "S", "W")
"""Order of the approaches everywhere: incoming road i comes from it, outgoing road j leads to it."""

SEGMENTS = 10
"""Density segments per approach in an observation."""

_STRAIGHT, _LEFT, _RIGHT = 0.7, 0.15, 0.15
# Rows: from N, E, S, W. Columns: to N, E, S, W. From the north, left is east and right is west.
_TURNING = (
    (0.0, _LEFT, _STRAIGHT, _RIGHT),
    (_RIGHT, 0.0, _LEFT, _STRAIGHT),
    (_STRAIGHT, _RIGHT, 0.0, _LEFT),
    (_LEFT, _STRAIGHT, _RIGHT, 0.0),
)


@dataclass(frozen=True)
class Intersection:
    """Four roads in, four out, and the signal between them.

    Traffic on a road follows a triangular fundamental diagram: flow = min(v_f·ρ, w·(ρ_jam − ρ)), whose top is
    the saturation flow ρ_jam·v_f·w/(v_f + w): 1,853 veh/h with these defaults. Amber and all-red are both
    lost: nothing crosses the stop line during them (the vehicles that use amber are taken to make up for the
        slow start).

    Attributes:
        free_flow_m_s: speed v_f on an empty road, m/s.
        wave_m_s: speed w at which a jam's tail runs upstream, m/s.
        jam_veh_m: density ρ_jam of standing traffic, veh/m.
        cell_m: length of a cell, m.
        cells: cells of each of the eight roads; a multiple of 10, the density segments of an observation.
        dt_s: time step of the simulation, s.
        interval_s: time between two decisions, s; a whole number of time steps.
        amber_s: amber at the end of every green, s.
        all_red_s: all-red after it, s.
        min_green_s: a phase that has been green for less is kept, whatever is asked for, s.
        turning: shares (4, 4), row i from approach i, column j to approach j; rows sum to 1.
        phases: for each green phase, the indices of the approaches that it serves.

    Raises:
        UsageError: a value is out of range, or the time step breaks the Courant-Friedrichs-Lewy condition
            v_f·dt ≤ cell_m (a vehicle would pass a whole cell in one step, and vehicles would be invented).
    """

    free_flow_m_s: float = 50 / 3.6
    wave_m_s: float = 5.0
    jam_veh_m: float = 0.14
    cell_m: float = 10.0
    cells: int = 100
    dt_s: float = 0.5
    interval_s: float = 15.0
    amber_s: float = 3.0
    all_red_s: float = 1.0
    min_green_s: float = 5.0
    turning: tuple[tuple[float, ...], ...] = _TURNING
    phases: tuple[tuple[int, ...], ...] = ((0, 2), (1, 3))

    def __post_init__(self) -> None:
        for name in ("free_flow_m_s", "wave_m_s", "jam_veh_m", "cell_m", "dt_s", "interval_s"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be positive.")
        for name in ("amber_s", "all_red_s", "min_green_s"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must not be negative.")
        self._check_grid()
        self._check_junction()

    def _check_grid(self) -> None:
        fastest = max(self.free_flow_m_s, self.wave_m_s)
        if fastest * self.dt_s > self.cell_m:
            raise UsageError(
                f"dt_s is {self.dt_s} s: at {fastest:.4g} m/s a vehicle or wave passes more than a cell of "
                f"{self.cell_m} m in it (CFL condition). Legal: dt_s <= {self.cell_m / fastest:.4g} s."
            )
        if self.cells < SEGMENTS or self.cells % SEGMENTS:
            raise UsageError(f"cells is {self.cells}; it must be a positive multiple of {SEGMENTS}.")
        for name in ("interval_s", "amber_s", "all_red_s", "min_green_s"):
            self.steps(getattr(self, name), name)

    def _check_junction(self) -> None:
        shares = np.asarray(self.turning, dtype=float)
        if shares.shape != (4, 4) or (shares < 0).any() or np.abs(shares.sum(axis=1) - 1).max() > 1e-9:
            raise UsageError(
                f"turning is {self.turning}; it takes 4 rows of 4 shares >= 0, each row summing to 1."
            )
        served = {approach for phase in self.phases for approach in phase}
        if len(self.phases) < 2 or served != {0, 1, 2, 3}:
            raise UsageError(
                f"phases is {self.phases}; it takes two or more, serving approaches 0 to 3 between them."
            )

    def steps(self, seconds: float, name: str = "a duration") -> int:
        """Return how many time steps ``seconds`` are.

        Raises:
            UsageError: it is not a whole number of them.
        """
        n = round(seconds / self.dt_s)
        if abs(n * self.dt_s - seconds) > 1e-9:
            raise UsageError(f"{name} is {seconds} s; it must be a whole number of steps of {self.dt_s} s.")
        return n

    @property
    def saturation_veh_s(self) -> float:
        """Largest flow of a road and past a stop line, veh/s."""
        v, w = self.free_flow_m_s, self.wave_m_s
        return self.jam_veh_m * v * w / (v + w)

    @property
    def lost_s(self) -> float:
        """Lost time of every change of phase, s."""
        return self.amber_s + self.all_red_s

    @property
    def segment_edges(self) -> np.ndarray:
        """(11,) cells at which the density segments of an observation begin, and the end of the road."""
        return np.arange(SEGMENTS + 1) * (self.cells // SEGMENTS)

    @property
    def n_phases(self) -> int:
        """Number of green phases, that is of actions."""
        return len(self.phases)

    @property
    def n_observations(self) -> int:
        """Length of an observation."""
        return 4 * SEGMENTS + 4 + self.n_phases + 1
