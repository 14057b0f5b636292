"""A scenario on the embedded simulator: environments, episodes and baselines for one demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from kit.errors import UsageError
from kit.traffic.controllers import Controller, FixedTime, MaxPressure, act_together, copies_of
from kit.traffic.demand import Demand
from kit.traffic.environment import TrafficSignalEnv, checked_horizon
from kit.traffic.evaluation import EpisodeResult
from kit.traffic.network import Intersection
from kit.traffic.simulation import Simulation
from kit.traffic.webster import webster

if TYPE_CHECKING:
    from kit.traffic.batch import TrafficVecEnv

GREENS_S = (15.0, 30.0, 45.0, 60.0, 75.0, 90.0)
"""Durations per phase that the search for the best fixed time tries, seconds, lost time included."""

HYSTERESES_VEH = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Hystereses that the search for the best max-pressure tries, vehicles."""


@dataclass(frozen=True)
class EmbeddedScenario:
    """The intersection of ``TrafficSignalEnv`` under one demand; a ``Scenario``.

    Attributes:
        demand: where the days are drawn from.
        intersection: roads and signal.
        horizon_decisions: length of an episode, decisions.
    """

    demand: Demand
    intersection: Intersection = field(default_factory=Intersection)
    horizon_decisions: int = 240
    kind: str = field(default="embedded", init=False)

    def __post_init__(self) -> None:
        checked_horizon(self.horizon_decisions, self.demand)

    @property
    def name(self) -> str:
        """The demand's name."""
        return self.demand.name

    @property
    def interval_s(self) -> float:
        """Seconds between two decisions."""
        return self.intersection.interval_s

    def make_env(self, seed: int, reward: str = "delay", **options: Any) -> TrafficSignalEnv:
        """Return a single environment; ``options`` are those of ``TrafficSignalEnv`` (``diagnostics``)."""
        options = {"horizon_decisions": self.horizon_decisions} | options
        return TrafficSignalEnv(self.demand, self.intersection, reward, seed, **options)

    def make_vec_env(self, n_envs: int, seed: int, reward: str = "delay") -> TrafficVecEnv:
        """Return ``n_envs`` environments that step in one call, on training days."""
        from kit.traffic.batch import TrafficVecEnv  # brings stable-baselines3 and torch

        return TrafficVecEnv(n_envs, self.demand, self.intersection, reward, seed, self.horizon_decisions)

    def run_episodes(
        self, controller: Controller, seeds: Sequence[int], reward: str = "delay"
    ) -> list[EpisodeResult]:
        """Play the days ``seeds``, all at once, each with a copy of ``controller``.

        A controller with an ``interval_s`` of its own that divides the decision interval is asked that often;
        rewards, queues and delays are taken at the decision interval all the same.

        Raises:
            UsageError: that interval does not divide the decision interval.
        """
        if not len(seeds):
            return []
        simulation = Simulation(len(seeds), self.intersection, self.demand, reward)
        simulation.reset(seeds)
        steps, asked = self._grid(controller)
        copies = copies_of(controller, len(seeds))
        rewards, queues, delays = (np.zeros((self.horizon_decisions, len(seeds))) for _ in range(3))
        for decision in range(self.horizon_decisions):
            for _ in range(asked):
                actions = act_together(copies, simulation.observations, simulation.views())
                simulation.step(actions, steps)
            rewards[decision], queues[decision] = simulation.rewards, simulation.queues_veh
            delays[decision] = simulation.delays_s
        return [
            EpisodeResult(
                controller=controller.name,
                seed=int(seed),
                mean_queue_veh=float(queues[:, i].mean()),
                reward=float(rewards[:, i].sum()),
                queue_veh=tuple(queues[:, i].tolist()),
                delay_s=tuple(delays[:, i].tolist()),
                **simulation.outcome(i),
            )
            for i, seed in enumerate(seeds)
        ]

    def best_fixed_time(self, training_seeds: Sequence[int]) -> FixedTime:
        """Return the timer of least mean delay over these days, of all with phases from `GREENS_S`."""
        candidates = [FixedTime(g) for g in product(GREENS_S, repeat=self.intersection.n_phases)]
        best = min(candidates, key=lambda c: self._mean_delay_s(c, training_seeds))
        return FixedTime(best.green_s, name=f"best {best.name}")

    def best_max_pressure(self, training_seeds: Sequence[int]) -> MaxPressure:
        """Return max-pressure with that hysteresis of `HYSTERESES_VEH` which does best over these days."""
        candidates = [MaxPressure(hysteresis_veh=veh) for veh in HYSTERESES_VEH]
        best = min(candidates, key=lambda c: self._mean_delay_s(c, training_seeds))
        name = f"best max-pressure, hysteresis {best.hysteresis_veh:g}"
        return MaxPressure(hysteresis_veh=best.hysteresis_veh, name=name)

    def webster(self, training_seeds: Sequence[int]) -> FixedTime:
        """Return Webster's timer for the mean flows counted on these days."""
        days = [self.demand.arrivals(int(seed))[: self.horizon_decisions] for seed in training_seeds]
        hours = self.horizon_decisions * self.interval_s / 3600
        return webster(self.intersection, np.mean(days, axis=0).sum(axis=0) / hours)

    def baselines(self, training_seeds: Sequence[int]) -> list[Controller]:
        """Return what a policy has to beat; whatever is tuned is tuned on these days.

        A timer of 30 s for each phase, the best fixed time, Webster's timer, max-pressure, and the best
        max-pressure: with the hysteresis of `HYSTERESES_VEH` that does best.
        """
        return [
            FixedTime((30.0,) * self.intersection.n_phases),
            self.best_fixed_time(training_seeds),
            self.webster(training_seeds),
            MaxPressure(),
            self.best_max_pressure(training_seeds),
        ]

    def _mean_delay_s(self, controller: Controller, seeds: Sequence[int]) -> float:
        return float(np.mean([r.delay_s_per_vehicle for r in self.run_episodes(controller, seeds)]))

    def _grid(self, controller: Controller) -> tuple[int, int]:
        """Return the time steps that an action holds for, and how many actions make a decision interval."""
        interval_steps = self.intersection.steps(self.interval_s)
        wanted_s = getattr(controller, "interval_s", None)
        steps = interval_steps if wanted_s is None else self.intersection.steps(wanted_s, "interval_s")
        if steps < 1 or interval_steps % steps:
            raise UsageError(
                f"{controller.name!r} acts every {wanted_s} s; that does not divide {self.interval_s} s."
            )
        return steps, interval_steps // steps
