"""The exact state of a stable-baselines3 run: what has to be put back for it to go on bit for bit.

SB3's own zip holds weights, optimizers and counters. What it lacks, and what is added here: the replay buffer,
the environment, the observations that the next step starts from, the episode statistics, and every random
number generator. Captured at ``on_rollout_start``: there, and only there, nothing is half-way.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.noise import NormalActionNoise, VectorizedActionNoise

from kit.randomness import capture_generators, restore_generators
from kit.sb3.environment_state import EnvironmentState

COUNTERS = (
    "num_timesteps",
    "_n_updates",
    "_episode_num",
    "_n_calls",
    "exploration_rate",
    "_current_progress_remaining",
)
OBSERVED = ("_last_obs", "_last_episode_starts", "_last_original_obs")
VERIFIED = (DQN, PPO)
"""The algorithms whose resumed runs are compared, byte for byte, with ones that were never stopped."""
REPLAY_BUFFERS = (ReplayBuffer, NStepReplayBuffer)
BUFFER_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


class ExactState:
    """Captures one model with its environment, and restores it into a freshly built one.

    ``exact`` is false where something cannot be captured; ``reason`` says what.
    """

    def __init__(self, model: BaseAlgorithm) -> None:
        env = model.get_env()
        assert env is not None
        self._model = model
        self._environment = EnvironmentState(env)
        self.reason = "; ".join(_not_captured(model, self._environment)) or None

    @property
    def exact(self) -> bool:
        """Whether a resumed run continues bit for bit."""
        return self.reason is None

    def capture(self) -> dict[str, Any]:
        """Return the whole state as a tree for ``kit.tensors``. It refers to live arrays: snapshot it."""
        model = self._model
        return {
            "torch": {name: _attribute(model, name).state_dict() for name in self._state_dicts()},
            "tensors": {name: _attribute(model, name) for name in self._plain_tensors()},
            "counters": {name: getattr(model, name) for name in COUNTERS if hasattr(model, name)},
            "observed": {name: getattr(model, name) for name in OBSERVED if hasattr(model, name)},
            "episodes": list(model.ep_info_buffer or ()),
            "successes": list(model.ep_success_buffer or ()),
            "replay": _replay(getattr(model, "replay_buffer", None)),
            "environment": self._environment.capture(),
            "generators": {**capture_generators(), "action_space": _space_generator(model)},
        }

    def _state_dicts(self) -> list[str]:
        return list(self._model._get_torch_save_params()[0])

    def _plain_tensors(self) -> list[str]:
        return list(self._model._get_torch_save_params()[1])

    def restore(self, state: dict[str, Any]) -> None:
        """Put everything back but the generators, which come last: see ``restore_generators``."""
        model = self._model
        for name, content in state["torch"].items():
            _attribute(model, name).load_state_dict(content)
        for name, content in state["tensors"].items():
            _attribute(model, name).data.copy_(content)
        for group in ("counters", "observed"):
            for name, value in state[group].items():
                setattr(model, name, value)
        window = model._stats_window_size
        model.ep_info_buffer = deque(state["episodes"], maxlen=window)
        model.ep_success_buffer = deque(state["successes"], maxlen=window)
        _restore_replay(getattr(model, "replay_buffer", None), state["replay"])
        if not self._environment.restore(state["environment"]):
            model._last_obs = None  # learn() then resets the environment: the episode starts anew

    def restore_generators(self, state: dict[str, Any]) -> None:
        """Put the random number generators back; call it in the first ``on_rollout_start``."""
        generators = dict(state["generators"])
        self._model.action_space.np_random.bit_generator.state = generators.pop("action_space")
        restore_generators(generators)


def _not_captured(model: BaseAlgorithm, environment: EnvironmentState) -> list[str]:
    """Return why a resumed run may differ from one that was never stopped; nothing where it does not."""
    reasons = [environment.reason] if environment.reason else []
    if type(model) not in VERIFIED:
        reasons.append(f"{type(model).__name__} is not verified to continue exactly (DQN and PPO are)")
    if model.use_sde:
        reasons.append("the noise of state-dependent exploration (use_sde) is not captured")
    noise = model.action_noise
    if isinstance(noise, VectorizedActionNoise):
        noise = noise.base_noise
    if noise is not None and type(noise) is not NormalActionNoise:
        reasons.append(f"the state of the action noise ({type(noise).__name__}) is not captured")
    if hasattr(model, "_last_lstm_states"):
        reasons.append("the memory of a recurrent policy is not captured")
    buffer = getattr(model, "replay_buffer", None)
    if buffer is not None and type(buffer) not in REPLAY_BUFFERS:
        reasons.append(f"a replay buffer of the kind {type(buffer).__name__} is not captured exactly")
    return reasons


def _attribute(model: BaseAlgorithm, dotted: str) -> Any:
    value: Any = model
    for part in dotted.split("."):
        value = getattr(value, part)
    return value


def _space_generator(model: BaseAlgorithm) -> dict[str, Any]:
    state = model.action_space.np_random.bit_generator.state
    return dict(state)


def _replay(buffer: ReplayBuffer | None) -> dict[str, Any] | None:
    """Return the filled part of the buffer, oldest slot first: arrays of shape (slots, n_envs, …)."""
    if buffer is None or isinstance(buffer, DictReplayBuffer):
        return None
    filled = buffer.buffer_size if buffer.full else buffer.pos
    if getattr(buffer, "optimize_memory_usage", False) and not buffer.full:
        filled = min(filled + 1, buffer.buffer_size)  # there the next observation lies in the next slot
    arrays = {name: getattr(buffer, name)[:filled] for name in BUFFER_ARRAYS if hasattr(buffer, name)}
    return {"pos": buffer.pos, "full": buffer.full, "arrays": arrays}


def _restore_replay(buffer: ReplayBuffer | None, saved: dict[str, Any] | None) -> None:
    if buffer is None or saved is None:
        return
    for name, array in saved["arrays"].items():
        np.copyto(getattr(buffer, name)[: len(array)], array)
    buffer.pos, buffer.full = saved["pos"], saved["full"]
