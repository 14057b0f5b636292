"""Several SUMO junctions side by side, for stable-baselines3: each in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from kit.errors import UsageError
from kit.traffic.sumo_env import spaces_of
from kit.traffic.sumo_episode import EpisodeSpec
from kit.traffic.sumo_network import read_network
from kit.traffic.sumo_sequence import EpisodeSequence


class SumoVecEnv(VecEnv):
    """``n_envs`` junctions on training days; spaces, action and reward are those of ``SumoEnv``.

    An environment that reaches the horizon begins its next training day at once, which was loaded
    meanwhile; its ``info`` then has ``terminal_observation``, ``TimeLimit.truncated`` and ``episode``, that
    is ``r``: sum of rewards, ``l``: decisions, ``t``: simulated seconds since the first episode began.

    Args:
        spec: junction, hour and reward; its seed is not used.
        n_envs: how many.
        seed: the run's seed; ``training_seed(seed, i, k)`` is the k-th day of environment i.
    """

    def __init__(self, spec: EpisodeSpec, n_envs: int, seed: int) -> None:
        if n_envs < 1:
            raise UsageError(f"n_envs is {n_envs}; it takes at least 1.")
        self.render_mode = None
        super().__init__(n_envs, *spaces_of(read_network(Path(spec.net))))
        self.horizon_decisions = spec.horizon_decisions
        self._sequences = [EpisodeSequence(spec, seed, index, prepare=True) for index in range(n_envs)]

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Spread the following episodes from another seed, from the next `reset` on; None changes nothing."""
        if seed is not None:
            for sequence in self._sequences:
                sequence.base_seed, sequence.episode = seed, 0
        return [seed] * self.num_envs

    def reset(self) -> VecEnvObs:
        """Begin the next training day everywhere; returns observations (n_envs, n_obs)."""
        for sequence in self._sequences:
            sequence.begin()
        self.reset_infos = [{} for _ in self._sequences]
        return np.stack([sequence.wait().observation for sequence in self._sequences])

    def step_async(self, actions: np.ndarray) -> None:
        """Send (n_envs,) phase indices; all junctions work at the same time."""
        legal = range(int(self.action_space.n))  # type: ignore[attr-defined]
        if any(int(action) not in legal for action in actions):
            raise UsageError(
                f"Actions {np.asarray(actions).tolist()} are not all phases; legal are 0 to {legal[-1]}."
            )
        for sequence, action in zip(self._sequences, actions, strict=True):
            sequence.send(int(action))

    def step_wait(self) -> VecEnvStepReturn:
        """Return observations (n_envs, n_obs), rewards (n_envs,), dones (n_envs,) and infos."""
        steps = [sequence.receive() for sequence in self._sequences]
        infos = [sequence.info() for sequence in self._sequences]
        rewards = np.array([step.reward for step in steps], dtype=np.float32)
        dones = np.array([sequence.over for sequence in self._sequences])
        for index in np.flatnonzero(dones):
            infos[index] |= {"terminal_observation": steps[index].observation, "TimeLimit.truncated": True}
            self._sequences[index].begin()
        for index in np.flatnonzero(dones):
            steps[index] = self._sequences[index].wait()
        return np.stack([step.observation for step in steps]), rewards, dones, infos

    def get_state(self) -> dict[str, Any]:
        """Return the state of every environment, in numbers, strings, lists and dicts."""
        return {"envs": [sequence.get_state() for sequence in self._sequences]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to where ``state`` was taken, by replaying the present episodes side by side; exact.

        Raises:
            UsageError: it is of other environments, or of another number of them.
            IntegrityError: a replay saw something else than the first time.
        """
        states = state["envs"]
        if len(states) != self.num_envs:
            raise UsageError(f"The state is of {len(states)} environments; there are {self.num_envs} here.")
        pairs = list(zip(self._sequences, states, strict=True))
        for sequence, one in pairs:
            sequence.begin_replay(one)
        for sequence, one in pairs:
            sequence.end_replay(one)

    def close(self) -> None:
        """End all processes."""
        for sequence in self._sequences:
            sequence.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of this object once per environment; they have none of their own."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:  # noqa: ARG002
        """There is nothing to set."""
        raise AttributeError(f"The junctions share their settings; {attr_name!r} cannot be set on some.")

    def env_method(
        self,
        method_name: str,
        *method_args: Any,  # noqa: ARG002
        indices: VecEnvIndices = None,  # noqa: ARG002
        **method_kwargs: Any,  # noqa: ARG002
    ) -> list[Any]:
        """There is nothing to call."""
        raise AttributeError(
            f"The junctions run in other processes; {method_name!r} cannot be called on them."
        )

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:  # noqa: ARG002
        """Return False for each: they are no Gymnasium environments, and report episodes in ``info``."""
        return [False for _ in self._get_indices(indices)]
