"""Many intersections as one stable-baselines3 VecEnv: all of them step in a single call of the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from kit.errors import IntegrityError, UsageError
from kit.traffic.demand import Demand
from kit.traffic.environment import checked_horizon, spaces_of
from kit.traffic.network import Intersection
from kit.traffic.seeds import training_seed
from kit.traffic.simulation import Simulation
from kit.traffic.view import SignalView


class TrafficVecEnv(VecEnv):
    """n intersections in lockstep; spaces, rewards and dynamics are those of ``TrafficSignalEnv``.

    Episodes have equal horizons, so all end together; every one then begins the next training day,
    ``training_seed(seed, index, episode)``. At the end of an episode, and only then, ``infos`` are filled:
    ``terminal_observation``, ``TimeLimit.truncated`` (always true), ``episode`` (``r`` sum of rewards, ``l``
    decisions, ``t`` simulated seconds since the first episode began, so that it is the same in every run),
    and ``delay_s_per_vehicle``, ``vehicles``, ``unfinished``.

    Args:
        n_envs: how many.
        demand: where the days are drawn from.
        intersection: roads and signal; by default those of ``TrafficSignalEnv``.
        reward: name of the reward.
        seed: spreads the training days; ``VecEnv.seed`` sets another one, from the next reset.
        horizon_decisions: when to truncate; by default when the demand ends.

    Raises:
        UnknownNameError: no reward of that name.
        UsageError: ``n_envs`` or the horizon is out of range.
    """

    render_mode: str | None = None  # the base class asks for it before it sets it

    def __init__(
        self,
        n_envs: int,
        demand: Demand,
        intersection: Intersection | None = None,
        reward: str = "delay",
        seed: int = 0,
        horizon_decisions: int | None = None,
    ) -> None:
        if n_envs < 1:
            raise UsageError(f"n_envs is {n_envs}; it must be at least 1.")
        self.simulation = Simulation(n_envs, intersection or Intersection(), demand, reward)
        self.horizon_decisions = checked_horizon(horizon_decisions, demand)
        super().__init__(n_envs, *spaces_of(self.simulation.intersection))
        self._n_phases = self.simulation.intersection.n_phases
        self._actions = np.zeros(n_envs, dtype=np.int64)
        self._dones = np.zeros((2, n_envs), dtype=np.bool_)
        self._dones[1] = True
        self._returns = np.zeros(n_envs)
        self._base_seed, self._episode, self._decision = seed, 0, -1  # -1: no episode has begun

    @property
    def views(self) -> list[SignalView]:
        """What controllers may see of each intersection besides the observation."""
        return self.simulation.views()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Spread the training days from ``seed`` (or from a random one), beginning with the next reset."""
        seeds = super().seed(seed)
        assert seeds[0] is not None
        self._base_seed, self._episode = seeds[0], 0
        return seeds

    def reset(self) -> np.ndarray:
        """Begin the next training day everywhere and return (n, n_obs) observations."""
        self._begin()
        self._reset_seeds()
        self._reset_options()
        return self.simulation.observations.copy()

    def step_async(self, actions: np.ndarray) -> None:
        """Take the phases to show, (n,) integers.

        Raises:
            UsageError: there is no such phase, or not one for each environment.
        """
        actions = np.asarray(actions).reshape(-1)
        if actions.shape != self._actions.shape or actions.min() < 0 or actions.max() >= self._n_phases:
            raise UsageError(
                f"Actions {actions} will not do; legal are {self.num_envs} of 0 to {self._n_phases - 1}."
            )
        self._actions[:] = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Simulate one interval; return observations, rewards, dones and infos, beginning anew where done."""
        if self._decision < 0:
            raise UsageError("No episode has begun; call reset() first.")
        simulation = self.simulation
        simulation.step(self._actions)
        self._decision += 1
        self._returns += simulation.rewards
        rewards = simulation.rewards.astype(np.float32)
        if self._decision < self.horizon_decisions:
            infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
            return simulation.observations.copy(), rewards, self._dones[0].copy(), infos
        infos = self._final_infos()
        self._begin()
        return simulation.observations.copy(), rewards, self._dones[1].copy(), infos

    def close(self) -> None:
        """Nothing to release."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return the attribute once for each environment: they are one object."""
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:  # noqa: ARG002
        """Refuse: the environments are one object.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{attr_name!r} cannot be set for {indices}: the environments of a batch are one object."
        )

    def env_method(
        self,
        method_name: str,
        *method_args: Any,  # noqa: ARG002
        indices: VecEnvIndices = None,
        **method_kwargs: Any,  # noqa: ARG002
    ) -> list[Any]:
        """Refuse: the environments are one object.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{method_name!r} cannot be called for {indices}: a batch is one object.")

    def env_is_wrapped(self, wrapper_class: Any, indices: VecEnvIndices = None) -> list[bool]:  # noqa: ARG002
        """Return False for each: nothing wraps an environment inside the batch."""
        return [False for _ in self._get_indices(indices)]

    def get_state(self) -> dict[str, Any]:
        """Return everything the future depends on: numbers and arrays in dicts.

        All chance is in the days' seeds, so there is no generator to keep.
        """
        return {
            "simulation": self.simulation.get_state(),
            "returns": self._returns.copy(),
            "base_seed": self._base_seed,
            "episode": self._episode,
            "decision": self._decision,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken, in this or another process; no reset is needed.

        Raises:
            IntegrityError: it is of another number of environments or another intersection.
        """
        returns = np.asarray(state["returns"])
        if returns.shape != self._returns.shape:
            raise IntegrityError(f"The state is of {len(returns)} environments, not of {self.num_envs}.")
        self.simulation.set_state(state["simulation"])
        self._returns[:] = returns
        self._base_seed, self._episode = int(state["base_seed"]), int(state["episode"])
        self._decision = int(state["decision"])

    def _begin(self) -> None:
        days = [training_seed(self._base_seed, i, self._episode) for i in range(self.num_envs)]
        self.simulation.reset(days)
        self._returns[:] = 0
        self._episode += 1
        self._decision = 0

    def _final_infos(self) -> list[dict[str, Any]]:
        simulated_s = self._episode * self.horizon_decisions * self.simulation.intersection.interval_s
        final = self.simulation.observations.copy()
        return [
            {
                "terminal_observation": final[i],
                "TimeLimit.truncated": True,
                "episode": {"r": float(self._returns[i]), "l": self.horizon_decisions, "t": simulated_s},
                **self.simulation.outcome(i),
            }
            for i in range(self.num_envs)
        ]
