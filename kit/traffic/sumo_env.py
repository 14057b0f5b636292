"""A real city's junction in SUMO as a Gymnasium environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from kit.errors import UsageError
from kit.traffic.sumo_episode import INTERVAL_S, EpisodeSpec, SumoStep
from kit.traffic.sumo_network import SumoNetwork, read_network
from kit.traffic.sumo_observation import Detectors
from kit.traffic.sumo_sequence import EpisodeSequence
from kit.traffic.view import SignalView


class SumoEnv(gymnasium.Env[np.ndarray, np.int64]):
    """One signalised junction, one hour, a decision every 15 s; each episode runs in a process of its own.

    **Action**, ``Discrete(n_phases)``: the green phase of the net's program to show for the next 15 s.
    Another phase than the present one opens with the net's own yellow (5 s in cologne1, 3 s in
    ingolstadt1), out of these 15 s; the rest is at least the 5 s of minimum green, so every decision is
    honoured.

    **Observation**, float32 in [0, 1], for n_in incoming lanes with a signal, n_out outgoing lanes:

    | entries | what | 1 means |
    |---|---|---|
    | n_in × 9 | vehicles 0-15-30-50-75-100-150-200-300-400 m before the line | a standing car every 6 m |
    | n_in | standing vehicles (below 0.1 m/s) within 400 m | 30 vehicles |
    | n_in | longest time that one of these has been standing | 120 s |
    | n_in | vehicles waiting to enter the net towards this lane | 50 vehicles |
    | n_in | vehicles standing within the junction that came from this lane | 5 vehicles |
    | n_out | vehicles on the first 100 m behind the junction | a standing car every 6 m |
    | n_phases | the present green phase, one-hot | |
    | 1 | how long it has been green | 120 s |

    What is larger is cut to 1. Lanes continue upstream across side nodes without a signal; a vehicle on a
    road that still leads to several lanes counts for each in equal shares. cologne1 has 117 entries,
    ingolstadt1 101.

    **Blocking**: vehicles that lock each other within the junction get past after 60 s; one that stands for
    300 s anywhere is moved on (SUMO's ``ignore-junction-blocker`` and ``time-to-teleport``).

    **Reward** for an interval, by name:

    | name | reward |
    |---|---|
    | ``queue`` | − vehicles standing on the way to the junction or waiting to enter / 20 |
    | ``delay`` | − delay accrued in the interval (time loss and departure delay, vehicle-seconds) / 300 |
    | ``pressure`` | (vehicles within 200 m behind the junction − within 200 m before it) / 20 |
    | ``diff-waiting-time`` | waiting time of the vehicles before the junction, before minus after, in 100 s |

    **Termination**: never. **Truncation**: at the horizon. ``info`` has ``delay_s``, ``queue_veh``, and at
    the end ``delay_s_per_vehicle``, ``vehicles`` and ``unfinished``, which counts those that could not even
    enter.

    Args:
        spec: which junction, hour and reward. Its seed is the day of the first episode; the following ones
            are training days spread from it. ``reset(seed=...)`` plays that very day.

    Raises:
        UnknownNameError: no reward of that name.
        MissingDependencyError: SUMO is not installed (from `reset`).
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - the type that gymnasium declares

    def __init__(self, spec: EpisodeSpec) -> None:
        self._hour = spec  # Gymnasium's own `spec` is another thing
        self.network: SumoNetwork = read_network(Path(spec.net))
        self.observation_space, self.action_space = spaces_of(self.network)
        self._sequence = EpisodeSequence(spec, base_seed=spec.seed)

    @property
    def horizon_decisions(self) -> int:
        """How many decisions an episode has."""
        return self._hour.horizon_decisions

    @property
    def view(self) -> SignalView:
        """What controllers may see besides the observation."""
        return view_of(self._sequence.last)

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode: of day ``seed``, or of the next training day; ``options`` are not used."""
        super().reset(seed=seed)
        if seed is None and self._sequence.episode == 0:
            seed = self._hour.seed
        self._sequence.begin(seed)
        return self._sequence.wait().observation, {}

    def step(self, action: int | np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Show phase ``action`` for 15 s.

        Raises:
            UsageError: no such phase; no episode was begun; it is over.
        """
        action = int(action)
        if not self.action_space.contains(action):
            legal = f"0 to {self.network.n_phases - 1}"
            raise UsageError(f"Action {action} is not a phase; legal are {legal}.")
        self._sequence.send(action)
        step = self._sequence.receive()
        return step.observation, step.reward, False, self._sequence.over, self._sequence.info()

    def get_state(self) -> dict[str, Any]:
        """Return the state: the seed and the actions so far, in numbers, strings and lists."""
        return self._sequence.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to where ``state`` was taken, by playing its actions again from its seed; exact.

        Raises:
            UsageError: it is of another environment.
            IntegrityError: the replay saw something else than the first time.
        """
        self._sequence.begin_replay(state)
        self._sequence.end_replay(state)

    def close(self) -> None:
        """End the episode's process."""
        self._sequence.close()


def spaces_of(network: SumoNetwork) -> tuple[spaces.Box, spaces.Discrete]:
    """Return the observation and action spaces of a junction."""
    return spaces.Box(0.0, 1.0, (Detectors(network).size,), np.float32), spaces.Discrete(network.n_phases)


def view_of(step: SumoStep) -> SignalView:
    """Return what a controller may see after ``step`` besides the observation."""
    return SignalView(
        time_s=float(step.decision * INTERVAL_S),
        phase=step.phase,
        elapsed_green_s=step.elapsed_green_s,
        n_phases=len(step.pressures),
        pressures=step.pressures,
    )
