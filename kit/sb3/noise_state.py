"""The state of exploration noise: action noise with a memory, and gSDE's matrices."""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.distributions import StateDependentNoiseDistribution
from stable_baselines3.common.noise import (
    ActionNoise,
    NormalActionNoise,
    OrnsteinUhlenbeckActionNoise,
    VectorizedActionNoise,
)

ACTION_NOISE: dict[type[ActionNoise], tuple[str, ...]] = {
    NormalActionNoise: (),
    OrnsteinUhlenbeckActionNoise: ("noise_prev",),
}
"""The kinds of action noise that are captured, each with what it remembers from step to step."""
MATRICES = ("exploration_mat", "exploration_matrices")


class NoiseState:
    """Captures and restores the noise by which one model explores.

    ``learn`` makes both anew at its start (action noise is reset, gSDE's matrices are drawn before
    ``on_rollout_start``), so they can be put back only after that. ``reason`` names what is not captured.
    """

    def __init__(self, model: BaseAlgorithm) -> None:
        self._model = model
        noise = model.action_noise
        if noise is not None and model.n_envs > 1 and not isinstance(noise, VectorizedActionNoise):
            # As learn() does at its start; a run with nothing left to learn has the same state as one that learns.
            model.action_noise = VectorizedActionNoise(noise, model.n_envs)
        unknown = {type(each).__name__ for each in self._processes() if type(each) not in ACTION_NOISE}
        names = ", ".join(sorted(unknown))
        self.reason = f"the state of the action noise ({names}) is not captured" if unknown else None

    def capture(self) -> dict[str, Any]:
        """Return a tree for ``kit.tensors``: one entry for each environment's process and each distribution."""
        return {
            "action": [
                {name: getattr(noise, name) for name in ACTION_NOISE.get(type(noise), ())}
                for noise in self._processes()
            ],
            "matrices": [
                {name: getattr(distribution, name) for name in MATRICES}
                for distribution in self._distributions()
            ],
        }

    def restore(self, captured: dict[str, Any]) -> None:
        """Put it back, as late as the first ``on_rollout_start``."""
        for noise, entry in zip(self._processes(), captured["action"], strict=True):
            for name, value in entry.items():
                setattr(noise, name, value.copy())
        for distribution, entry in zip(self._distributions(), captured["matrices"], strict=True):
            for name, value in entry.items():
                setattr(distribution, name, value.to(self._model.device))

    def _processes(self) -> list[ActionNoise]:
        noise = self._model.action_noise
        if noise is None:
            return []
        return list(noise.noises) if isinstance(noise, VectorizedActionNoise) else [noise]

    def _distributions(self) -> list[StateDependentNoiseDistribution]:
        """Return the gSDE distributions of the policy (generalised state-dependent exploration, arXiv:2005.05719)."""
        modules: list[torch.nn.Module] = list(self._model.policy.modules())
        found = [getattr(module, "action_dist", None) for module in modules]
        return [each for each in found if isinstance(each, StateDependentNoiseDistribution)]
