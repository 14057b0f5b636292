"""What the agent and max-pressure see of a SUMO junction: sums over the lanes around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kit.traffic.sumo_network import SumoNetwork
from kit.traffic.view import PRESSURE_RANGE_M

SEGMENT_ENDS_M = (15.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 400.0)
VEHICLE_SPACE_M = 6.0  # one standing car and its gap: what makes a density 1
QUEUE_SCALE_VEH = 30.0
ENTRY_SCALE_VEH = 50.0
INSIDE_SCALE_VEH = 5.0
WAIT_SCALE_S = 120.0
GREEN_SCALE_S = 120.0
EXIT_RANGE_M = 100.0


@dataclass(frozen=True)
class LaneTraffic:
    """The vehicles on one lane: distance from the lane's beginning, speed, time standing."""

    position_m: Sequence[float]
    speed_m_s: Sequence[float]
    waiting_s: Sequence[float]


class Detectors:
    """Turns the vehicles around a junction into the observation and the pressures.

    Each vehicle counts for the junction lane it stands on or drives towards; where its road still leads to
    several of them it counts in equal shares, because the lane it will take is not known yet.
    """

    HALTING_M_S = 0.1

    def __init__(self, network: SumoNetwork) -> None:
        self.network = network
        self.lanes = tuple(
            dict.fromkeys(s.lane for s in network.upstream + network.downstream + network.inside)
        )
        self._edges_m = np.array(SEGMENT_ENDS_M)
        starts_m = np.concatenate(([0.0], self._edges_m[:-1]))
        self._capacity_veh = (self._edges_m - starts_m) / VEHICLE_SPACE_M
        self._phases = [self._movements(p) for p in range(network.n_phases)]

    @property
    def size(self) -> int:
        """Length of the observation."""
        n_in, n_out = len(self.network.lanes_in), len(self.network.lanes_out)
        return n_in * (len(SEGMENT_ENDS_M) + 4) + n_out + self.network.n_phases + 1

    def measure(self, traffic: Mapping[str, LaneTraffic], waiting_outside: Mapping[str, int]) -> Measurement:
        """Sum the vehicles up by junction lane.

        Args:
            traffic: for each of ``self.lanes``, its vehicles.
            waiting_outside: edge -> vehicles that wait to be inserted on it.
        """
        n_in, n_out = len(self.network.lanes_in), len(self.network.lanes_out)
        m = Measurement(
            cells_veh=np.zeros((n_in, len(SEGMENT_ENDS_M))),
            queue_veh=np.zeros(n_in),
            entry_veh=np.zeros(n_in),
            inside_veh=np.zeros(n_in),
            longest_wait_s=np.zeros(n_in),
            near_in_veh=np.zeros(n_in),
            exit_veh=np.zeros(n_out),
            near_out_veh=np.zeros(n_out),
        )
        for s in self.network.upstream:
            lane = traffic[s.lane]
            for position_m, speed_m_s, waiting_s in zip(
                lane.position_m, lane.speed_m_s, lane.waiting_s, strict=True
            ):
                distance_m = s.near_m + s.length_m - position_m
                cell = int(np.searchsorted(self._edges_m, distance_m, side="right"))
                if cell < len(self._edges_m):
                    m.cells_veh[s.slot, cell] += s.share
                if speed_m_s < self.HALTING_M_S:
                    m.queue_veh[s.slot] += s.share
                if distance_m <= PRESSURE_RANGE_M:
                    m.near_in_veh[s.slot] += s.share
                m.longest_wait_s[s.slot] = max(m.longest_wait_s[s.slot], waiting_s)
        for s in self.network.downstream:
            for position_m in traffic[s.lane].position_m:
                if s.near_m + position_m <= EXIT_RANGE_M:
                    m.exit_veh[s.slot] += s.share
                if s.near_m + position_m <= PRESSURE_RANGE_M:
                    m.near_out_veh[s.slot] += s.share
        for s in self.network.inside:
            speeds_m_s = traffic[s.lane].speed_m_s
            m.inside_veh[s.slot] += sum(speed_m_s < self.HALTING_M_S for speed_m_s in speeds_m_s)
        for edge, vehicles in waiting_outside.items():
            slots, start_m = self.network.entries.get(edge, ((), 0.0))
            for slot in slots:
                m.entry_veh[slot] += vehicles / len(slots)
                if start_m <= PRESSURE_RANGE_M:
                    m.near_in_veh[slot] += vehicles / len(slots)
        return m

    def observation(self, m: Measurement, phase: int, elapsed_green_s: float) -> np.ndarray:
        """Return the observation, float32, cut to [0, 1]; its table is in ``SumoEnv``'s docstring."""
        one_hot = np.zeros(self.network.n_phases)
        one_hot[phase] = 1.0
        parts = (
            (m.cells_veh / self._capacity_veh).ravel(),
            m.queue_veh / QUEUE_SCALE_VEH,
            m.longest_wait_s / WAIT_SCALE_S,
            m.entry_veh / ENTRY_SCALE_VEH,
            m.inside_veh / INSIDE_SCALE_VEH,
            m.exit_veh * VEHICLE_SPACE_M / EXIT_RANGE_M,
            one_hot,
            np.array([elapsed_green_s / GREEN_SCALE_S]),
        )
        return np.concatenate(parts).clip(0.0, 1.0).astype(np.float32)

    def pressures(self, m: Measurement) -> np.ndarray:
        """Return (n_phases,) pressures in vehicles: `SignalView`'s definition with i and j the single lanes.

        Lanes, not approaches, because two phases of such a junction may serve other lanes of one approach.
        The exits that a lane may take in a phase count in equal shares.
        """
        return np.array(
            [
                sum(m.near_in_veh[i] - m.near_out_veh[list(js)].mean() for i, js in moves)
                for moves in self._phases
            ]
        )

    def _movements(self, phase: int) -> list[tuple[int, tuple[int, ...]]]:
        """Return, for each incoming lane that has green in ``phase``, the outgoing lanes it may take."""
        n = self.network
        exits: dict[int, dict[int, None]] = {}
        for link in n.links:
            if n.green_states[phase][link.index] in "Gg":
                exits.setdefault(n.lanes_in.index(link.lane_in), {})[n.lanes_out.index(link.lane_out)] = None
        return [(i, tuple(js)) for i, js in exits.items()]


@dataclass(frozen=True)
class Measurement:
    """Vehicles around the junction; arrays over incoming lanes unless said otherwise.

    Attributes:
        cells_veh: (n_in, n_segments) by distance from the stop line, see ``SEGMENT_ENDS_M``.
        queue_veh: standing (below 0.1 m/s) within 400 m.
        entry_veh: waiting outside the net to be inserted.
        inside_veh: standing within the junction, having come from this lane.
        longest_wait_s: longest time that one of them has been standing, s.
        near_in_veh: within the pressure's range, those waiting to enter included where the entry is within
            it.
        exit_veh: (n_out,) on the first 100 m behind the junction.
        near_out_veh: (n_out,) within the pressure's range behind it.
    """

    cells_veh: np.ndarray
    queue_veh: np.ndarray
    entry_veh: np.ndarray
    inside_veh: np.ndarray
    longest_wait_s: np.ndarray
    near_in_veh: np.ndarray
    exit_veh: np.ndarray
    near_out_veh: np.ndarray
