"""One hour of one junction in libsumo.

It takes a process of its own: libsumo holds one simulation, and a second one in the same process is not
reproducible.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kit.errors import UnknownNameError, UsageError
from kit.traffic.sumo_demand import Demand, perturbed, read_demand
from kit.traffic.sumo_network import read_network
from kit.traffic.sumo_observation import Detectors, LaneTraffic, Measurement

INTERVAL_S = 15
REWARDS = ("queue", "delay", "pressure", "diff-waiting-time")
# Left-turners that face each other in the middle of the junction can lock it for good, on about one day in forty,
# where drivers would squeeze past. After this long they stop holding each other up. Without it the comparison of
# controllers is one of luck; the delays on the file's own trips are the same with and without.
UNLOCK_S = 60
TELEPORT_S = 300  # a vehicle blocked this long is moved on; never doing so gridlocks single days for good


@dataclass(frozen=True)
class EpisodeSpec:
    """Everything that decides an episode, but for the actions.

    Attributes:
        net: the net file.
        routes: the route file.
        begin_s: start of the hour, s of simulation time.
        horizon_decisions: how many intervals of 15 s it lasts.
        seed: of the drivers' noise and, if ``perturb``, of the demand.
        perturb: draw another day from the seed; otherwise the trips are the file's own.
        reward: ``queue``, ``delay``, ``pressure`` or ``diff-waiting-time``.
        program_s: if given, the signal runs the net's program with these greens, one per green phase in s,
            on its own; actions are then ignored.
    """

    net: str
    routes: str
    begin_s: int
    horizon_decisions: int
    seed: int
    perturb: bool = True
    reward: str = "delay"
    program_s: tuple[float, ...] | None = None

    @property
    def end_s(self) -> int:
        """End of the episode, s of simulation time."""
        return self.begin_s + self.horizon_decisions * INTERVAL_S


@dataclass(frozen=True)
class SumoStep:
    """What is known after a decision interval (or before the first).

    Attributes:
        observation: (n_obs,) float32.
        reward: for the interval.
        decision: how many decisions were taken.
        phase: green phase showing.
        elapsed_green_s: how long it has been green, s.
        pressures: (n_phases,) vehicles.
        queue_veh: standing on the roads to the junction, or waiting to enter them.
        delay_s: delay accrued in the interval, vehicle-seconds.
        total_delay_s: time loss and departure delay since the beginning, over all vehicles that wanted to
            depart.
        vehicles: how many wanted to depart by now.
        unfinished: how many of them have not arrived.
        fingerprint: hash of the observations and rewards up to here.
    """

    observation: np.ndarray
    reward: float
    decision: int
    phase: int
    elapsed_green_s: float
    pressures: np.ndarray
    queue_veh: float
    delay_s: float
    total_delay_s: float
    vehicles: int
    unfinished: int
    fingerprint: str


def demand_of(spec: EpisodeSpec) -> Demand:
    """Return the trips of an episode: those that want to depart before its end."""
    demand = read_demand(Path(spec.routes))
    if spec.perturb:
        # drawn for the whole hour, so that a shorter episode is the beginning of the same day
        demand = perturbed(demand, spec.seed, spec.begin_s, spec.begin_s + 3600)
    return demand.before(spec.end_s)


class SumoEpisode:
    """Starts libsumo on construction; construct one per process.

    Raises:
        libsumo.TraCIException: SUMO refused the input; its reason is on stderr.
    """

    def __init__(self, spec: EpisodeSpec) -> None:
        import libsumo  # the kit works without it; only these processes need it

        self._sumo: Any = libsumo
        self._spec = spec
        self._network = read_network(Path(spec.net))
        self._detectors = Detectors(self._network)
        demand = demand_of(spec)
        self._trips = {t.id: t for t in demand.trips}
        self._departures_s = np.array([t.depart_s for t in demand.trips])
        self._start(demand)
        self._states = {state: i for i, state in enumerate(self._network.green_states)}
        self._phase, self._green_since_s = 0, spec.begin_s
        if spec.program_s is None:
            self._show(self._network.green_states[0])
        else:
            self._set_program(spec.program_s)
        self._hash = hashlib.blake2b(digest_size=16)
        self._waiting_s = 0.0
        self._total_delay_s = 0.0
        self._decision = 0
        self.last = self._observe()

    def step(self, action: int) -> SumoStep:
        """Show green phase ``action`` for one interval; a change takes the net's yellow out of it.

        Raises:
            UsageError: no such phase, or the episode is over.
        """
        if not 0 <= action < self._network.n_phases:
            raise UsageError(f"Action {action} is not a phase; legal are 0 to {self._network.n_phases - 1}.")
        if self._decision >= self._spec.horizon_decisions:
            raise UsageError(f"The episode ended after {self._decision} decisions; reset it.")
        start_s = self._spec.begin_s + self._decision * INTERVAL_S
        if self._spec.program_s is None and action != self._phase:
            self._show(self._network.yellow_state(self._phase, action))
            self._sumo.simulation.step(start_s + self._network.yellow_s)
            self._show(self._network.green_states[action])
            self._phase, self._green_since_s = action, start_s + self._network.yellow_s
        self._sumo.simulation.step(start_s + INTERVAL_S)
        self._decision += 1
        self.last = self._observe()
        return self.last

    def run(self, actions: Sequence[int], stop_above_s: float = float("inf")) -> list[SumoStep]:
        """Take these actions, and stop once the total delay exceeds ``stop_above_s`` vehicle-seconds."""
        steps: list[SumoStep] = []
        for action in actions:
            steps.append(self.step(action))
            if steps[-1].total_delay_s > stop_above_s:
                break
        return steps

    def _start(self, demand: Demand) -> None:
        spec = self._spec
        with (
            tempfile.TemporaryFile() as routes
        ):  # has no name on disk: nothing is left, however the process ends
            routes.write(demand.to_xml().encode())
            routes.seek(0)
            self._routes_fd = os.dup(routes.fileno())
        options = {
            "--net-file": spec.net,
            "--route-files": f"/dev/fd/{self._routes_fd}",
            "--begin": spec.begin_s,
            "--seed": spec.seed,
            "--time-to-teleport": TELEPORT_S,
            "--ignore-junction-blocker": UNLOCK_S,
            "--max-depart-delay": -1,
            "--waiting-time-memory": 1000,
            "--precision": 9,
            "--xml-validation": "never",
            "--xml-validation.net": "never",
        }
        flags = ["--duration-log.statistics", "--no-step-log", "--no-warnings"]
        self._sumo.start(["sumo", *(str(x) for pair in options.items() for x in pair), *flags])

    def _set_program(self, greens_s: Sequence[float]) -> None:
        lights = self._sumo.trafficlight
        logic = lights.getAllProgramLogics(self._network.signal)[0]
        phases = list(logic.phases)
        for phase in phases:
            if phase.state in self._states:
                seconds = greens_s[self._states[phase.state]]
                phase.duration = phase.minDur = phase.maxDur = seconds
        logic.phases = phases
        lights.setProgramLogic(self._network.signal, logic)

    def _show(self, state: str) -> None:
        self._sumo.trafficlight.setRedYellowGreenState(self._network.signal, state)

    def _observe(self) -> SumoStep:
        now_s = self._spec.begin_s + self._decision * INTERVAL_S
        if self._spec.program_s is not None:
            self._follow_program(now_s)
        pending = [self._trips[v] for v in self._sumo.simulation.getPendingVehicles()]
        pending = [t for t in pending if t.depart_s <= now_s]
        measured = self._detectors.measure(self._traffic(), Counter(t.origin for t in pending))
        total_delay_s, arrived = self._delay(sum(now_s - t.depart_s for t in pending))
        delay_s, self._total_delay_s = total_delay_s - self._total_delay_s, total_delay_s
        queue_veh = float(measured.queue_veh.sum()) + len(pending)
        reward = self._reward(queue_veh, delay_s, measured) if self._decision else 0.0
        elapsed_s = float(now_s - self._green_since_s)
        observation = self._detectors.observation(measured, self._phase, elapsed_s)
        self._hash.update(observation.tobytes() + np.float64(reward).tobytes())
        vehicles = int(np.searchsorted(self._departures_s, now_s, side="right"))
        return SumoStep(
            observation=observation,
            reward=reward,
            decision=self._decision,
            phase=self._phase,
            elapsed_green_s=elapsed_s,
            pressures=self._detectors.pressures(measured),
            queue_veh=queue_veh,
            delay_s=delay_s,
            total_delay_s=total_delay_s,
            vehicles=vehicles,
            unfinished=vehicles - arrived,
            fingerprint=self._hash.hexdigest(),
        )

    def _traffic(self) -> dict[str, LaneTraffic]:
        lane, vehicle = self._sumo.lane, self._sumo.vehicle
        traffic = {}
        for name in self._detectors.lanes:
            ids = lane.getLastStepVehicleIDs(name)
            traffic[name] = LaneTraffic(
                [vehicle.getLanePosition(v) for v in ids],
                [vehicle.getSpeed(v) for v in ids],
                [vehicle.getWaitingTime(v) for v in ids],
            )
        return traffic

    def _delay(self, pending_s: float) -> tuple[float, int]:
        """Return the delay of all vehicles so far (vehicle-seconds) and the number that has arrived."""
        parameter, vehicle = self._sumo.simulation.getParameter, self._sumo.vehicle
        arrived = int(parameter("", "device.tripinfo.count"))
        total_s = pending_s
        if arrived:  # SUMO gives means over the arrived vehicles, to the millisecond
            total_s += arrived * float(parameter("", "device.tripinfo.timeLoss"))
            total_s += float(parameter("", "device.tripinfo.totalDepartDelay"))
        for v in vehicle.getIDList():
            total_s += vehicle.getTimeLoss(v) + vehicle.getDepartDelay(v)
        return total_s, arrived

    def _reward(self, queue_veh: float, delay_s: float, measured: Measurement) -> float:
        match self._spec.reward:
            case "queue":
                return -queue_veh / 20.0
            case "delay":
                return -delay_s / 300.0
            case "pressure":
                return float(measured.near_out_veh.sum() - measured.near_in_veh.sum()) / 20.0
            case "diff-waiting-time":
                return self._diff_waiting_time()
            case other:
                raise UnknownNameError("reward", other, REWARDS)

    def _diff_waiting_time(self) -> float:
        """Sum of the accumulated waiting of vehicles before the junction: before minus now, in 100 s."""
        before_s = self._waiting_s
        accumulated, lane = self._sumo.vehicle.getAccumulatedWaitingTime, self._sumo.lane
        upstream = dict.fromkeys(s.lane for s in self._network.upstream)
        self._waiting_s = sum(accumulated(v) for name in upstream for v in lane.getLastStepVehicleIDs(name))
        return (before_s - self._waiting_s) / 100.0

    def _follow_program(self, now_s: int) -> None:
        state = self._sumo.trafficlight.getRedYellowGreenState(self._network.signal)
        phase = self._states.get(state, self._phase)
        if phase != self._phase:
            self._phase, self._green_since_s = phase, now_s
