"""One signalised intersection as a Gymnasium environment, on the embedded simulator."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from kit.errors import UsageError
from kit.traffic.demand import Demand
from kit.traffic.diagnostics import Diagnostics
from kit.traffic.network import Intersection
from kit.traffic.seeds import training_seed
from kit.traffic.simulation import Simulation
from kit.traffic.view import SignalView


class TrafficSignalEnv(gymnasium.Env[np.ndarray, np.int64]):
    """One signalised intersection, one hour, a decision every 15 s.

    Four roads of 1 km lead in and four lead out, a lane each, simulated by the cell transmission model
    (`core`). Vehicles that find no room wait in a queue before the road, and count as delayed.

    **Action**, ``Discrete(n_phases)``: the phase to show for the next 15 s; 0 is north and south, 1 is east
    and west. Another phase than the present one opens with 3 s of amber and 1 s of all-red, in which nothing
    crosses. It is ignored where the present one has not had its minimum green of 5 s; at 15 s decisions it
    always has.

    **Observation**, ``Box(0, 1, (47,), float32)``, approaches in the order N, E, S, W:

    | entries | what | 1 means | beyond that |
    |---|---|---|---|
    | 0–39 | density of ten stretches of 100 m per approach, towards the stop line | a jam, 14 veh | never |
    | 40–43 | vehicles waiting to enter each approach | 50 veh | cut to 1 |
    | 44–45 | the phase, one-hot; during amber and all-red the next one | | |
    | 46 | how long it has been green, 0 during amber and all-red | 120 s | cut to 1 |

    **Reward** for an interval, by name, in plain numbers:

    | name | reward |
    |---|---|
    | ``queue`` | − queue at its end (vehicles) / 20; a vehicle at speed v counts 1 − v/v_f |
    | ``delay`` | − delay accrued in it (vehicle-seconds) / 300 |
    | ``pressure`` | − sum of the phases' pressures at its end (vehicles, see `SignalView`) / 20 |
    | ``diff-waiting-time`` | (delay accrued in the interval before − in this one, vehicle-seconds) / 300 |

    Delay is time spent, waiting to enter included, less what the distance covered takes at free flow.

    **Start**: empty roads, phase 0. **Termination**: never. **Truncation**: after ``horizon_decisions`` (240,
    one hour). ``info`` has ``delay_s`` and ``queue_veh`` of the interval, and at the end
    ``delay_s_per_vehicle``, ``vehicles`` and ``unfinished``; these count everyone who wanted to enter.

    Args:
        demand: where the days are drawn from.
        intersection: roads and signal; by default those described here.
        reward: one of the names above.
        seed: the day of the first episode. The following ones are training days spread from it.
            ``reset(seed=...)`` plays that very day, so that an evaluation can choose its days.
        horizon_decisions: when to truncate; by default when the demand ends.
        diagnostics: log 38 lines a step, see `Diagnostics`.

    Raises:
        UnknownNameError: no reward of that name.
        UsageError: the horizon is not within the demand.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - the type that gymnasium declares

    def __init__(
        self,
        demand: Demand,
        intersection: Intersection | None = None,
        reward: str = "delay",
        seed: int = 0,
        horizon_decisions: int | None = None,
        diagnostics: bool = False,
    ) -> None:
        self.simulation = Simulation(1, intersection or Intersection(), demand, reward)
        self.horizon_decisions = checked_horizon(horizon_decisions, demand)
        self.observation_space, self.action_space = spaces_of(self.simulation.intersection)
        self._diagnostics = Diagnostics(self.simulation) if diagnostics else None
        self._n_phases = self.simulation.intersection.n_phases
        self._action = np.zeros(1, dtype=np.int64)
        self._base_seed, self._episode, self._decision = seed, 0, -1  # -1: no episode has begun

    @property
    def view(self) -> SignalView:
        """What controllers may see besides the observation."""
        return self.simulation.views()[0]

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode: of day ``seed``, or of the next training day; ``options`` are not used."""
        super().reset(seed=seed)
        if seed is not None:
            self._base_seed, self._episode = seed, 0
        first = self._episode == 0
        day = self._base_seed if first else training_seed(self._base_seed, 0, self._episode)
        self.simulation.reset([day])
        self._episode += 1
        self._decision = 0
        return self.simulation.observations[0].copy(), {}

    def step(self, action: int | np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Show phase ``action`` for one decision interval.

        Raises:
            UsageError: no such phase, or no episode is under way.
        """
        simulation = self.simulation
        if not 0 <= action < self._n_phases or action != int(action):
            raise UsageError(f"Action {action!r} is not a phase; legal are 0 to {self._n_phases - 1}.")
        if not 0 <= self._decision < self.horizon_decisions:
            raise UsageError("No episode is under way; call reset() first.")
        self._action[0] = action
        simulation.step(self._action)
        self._decision += 1
        truncated = self._decision == self.horizon_decisions
        delay_s, queue_veh = float(simulation.delays_s[0]), float(simulation.queues_veh[0])
        info: dict[str, Any] = {"delay_s": delay_s, "queue_veh": queue_veh}
        if truncated:
            info |= simulation.outcome(0)
        if self._diagnostics is not None:
            self._diagnostics.log()
        return simulation.observations[0].copy(), float(simulation.rewards[0]), False, truncated, info

    def get_state(self) -> dict[str, Any]:
        """Return everything the future depends on: numbers and arrays in dicts.

        All chance is in the days' seeds, so there is no generator to keep.
        """
        return {
            "simulation": self.simulation.get_state(),
            "base_seed": self._base_seed,
            "episode": self._episode,
            "decision": self._decision,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken, in this or another process.

        Raises:
            IntegrityError: it is of another intersection.
        """
        self.simulation.set_state(state["simulation"])
        self._base_seed, self._episode = int(state["base_seed"]), int(state["episode"])
        self._decision = int(state["decision"])


def spaces_of(intersection: Intersection) -> tuple[spaces.Box, spaces.Discrete]:
    """Return the observation and action spaces of an intersection."""
    box = spaces.Box(0.0, 1.0, (intersection.n_observations,), np.float32)
    return box, spaces.Discrete(intersection.n_phases)


def checked_horizon(horizon_decisions: int | None, demand: Demand) -> int:
    """Return the horizon in decisions, by default the whole demand.

    Raises:
        UsageError: it is not within the demand.
    """
    horizon = demand.decisions if horizon_decisions is None else horizon_decisions
    if not 1 <= horizon <= demand.decisions:
        raise UsageError(f"horizon_decisions is {horizon}; legal are 1 to {demand.decisions}.")
    return horizon
