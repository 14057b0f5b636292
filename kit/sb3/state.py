"""The exact state of a stable-baselines3 run: what has to be put back for it to go on bit for bit.

SB3's own zip holds weights, optimizers and counters. What it lacks, and what is added here: the replay buffer,
the environment and its wrappers, the observations that the next step starts from, a recurrent policy's memory, the
noise of exploration, the episode statistics, the losses logged last, and every random number generator. Captured at
``on_rollout_start``: there, and only there, nothing is half-way.
"""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from kit.randomness import capture_generators, restore_generators
from kit.sb3.environment_state import CaptureMethod, EnvironmentState
from kit.sb3.hidden_state import HiddenState
from kit.sb3.noise_state import NoiseState
from kit.sb3.replay_log import ReplayLog
from kit.sb3.wrapper_state import WrapperState

COUNTERS = (
    "num_timesteps",
    "_n_updates",
    "_episode_num",
    "_n_calls",
    "exploration_rate",
    "_current_progress_remaining",
)
OBSERVED = ("_last_obs", "_last_episode_starts", "_last_original_obs")
VERIFIED: dict[str, tuple[str, ...]] = {
    "stable_baselines3.DQN": ("loss",),
    "stable_baselines3.PPO": ("loss", "policy_gradient_loss", "value_loss"),
    "stable_baselines3.A2C": ("policy_loss", "value_loss"),
    "stable_baselines3.SAC": ("actor_loss", "critic_loss"),
    "stable_baselines3.TD3": ("actor_loss", "critic_loss"),
    "stable_baselines3.DDPG": ("actor_loss", "critic_loss"),
    "sb3_contrib.QRDQN": ("loss",),
    "sb3_contrib.RecurrentPPO": ("loss", "policy_gradient_loss", "value_loss"),
    "sb3_contrib.MaskablePPO": ("loss", "policy_gradient_loss", "value_loss"),
}
"""The algorithms whose resumed runs are compared, byte for byte, with ones that were never stopped, and the losses
that each logs. By name: sb3-contrib is imported only by those who use it. A subclass is an algorithm of its own."""
LOGGED = "train/"


class ExactState:
    """Captures one model with its environment, and restores it into a freshly built one.

    ``exact`` is false where something cannot be captured; ``reason`` says what.
    """

    def __init__(self, model: BaseAlgorithm, method: CaptureMethod | None = None) -> None:
        env = model.get_env()
        assert env is not None
        self._model = model
        # Else an environment that samples from its action space shares a generator with the model, but not once
        # both have come back from a checkpoint.
        model.action_space = deepcopy(model.action_space)
        self._wrappers = WrapperState(env)
        self._environment = EnvironmentState(self._wrappers.base, method)
        self._noise = NoiseState(model)
        self._replay = ReplayLog.of(model)
        self._hidden = HiddenState(model, self._wrappers.base)
        parts = (self._environment, self._wrappers, self._replay, self._noise)
        reasons = [part.reason for part in parts if part.reason]
        if algorithm_name(model) not in VERIFIED:
            known = ", ".join(name.split(".")[1] for name in VERIFIED)
            reasons.append(f"{type(model).__name__} is not verified to continue exactly ({known} are)")
        rollouts = type(getattr(model, "rollout_buffer", None))
        if rollouts.__module__.split(".")[0] not in ("builtins", "stable_baselines3", "sb3_contrib"):
            reasons.append(f"what a rollout buffer of the kind {rollouts.__name__} remembers is not captured")
        self.reason = "; ".join(reasons) or None

    @property
    def exact(self) -> bool:
        """Whether a resumed run continues bit for bit."""
        return self.reason is None

    def capture(self) -> dict[str, Any]:
        """Return the whole state as a tree for ``kit.tensors``. It refers to live arrays: snapshot it.

        ``reason`` says afterwards if something was seen to change that is not in it.
        """
        model = self._model
        self.reason = self.reason or self._hidden.reason
        return {
            "torch": {name: _attribute(model, name).state_dict() for name in self._state_dicts()},
            "tensors": {name: _attribute(model, name) for name in self._plain_tensors()},
            "counters": {name: getattr(model, name) for name in COUNTERS if hasattr(model, name)},
            "observed": {name: getattr(model, name) for name in OBSERVED if hasattr(model, name)},
            "episodes": list(model.ep_info_buffer or ()),
            "successes": list(model.ep_success_buffer or ()),
            "replay": self._replay.capture(),
            "environment": self._environment.capture(),
            "wrappers": self._wrappers.capture(),
            "memory": getattr(model, "_last_lstm_states", None),
            "noise": self._noise.capture(),
            "logged": logged(model),
            "generators": {**capture_generators(), "action_space": _space_generator(model)},
        }

    def _state_dicts(self) -> list[str]:
        return list(self._model._get_torch_save_params()[0])

    def _plain_tensors(self) -> list[str]:
        return list(self._model._get_torch_save_params()[1])

    def restore(self, state: dict[str, Any]) -> None:
        """Put back everything that ``learn`` leaves alone at its start; the rest comes last: see ``restore_late``."""
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
        self._replay.restore(state["replay"])
        if self._replay.reason is not None and isinstance(model, OffPolicyAlgorithm):
            model.learning_starts += model.num_timesteps  # its buffer is empty, and filled as at the start
        if state["memory"] is not None:
            recurrent: Any = model
            parts = (tuple(tensor.to(model.device) for tensor in part) for part in state["memory"])
            recurrent._last_lstm_states = type(recurrent._last_lstm_states)(*parts)
        # Wrappers first: where the environment can only start anew, VecNormalize's statistics still go on.
        if not (
            self._wrappers.restore(state["wrappers"]) and self._environment.restore(state["environment"])
        ):
            model._last_obs = None  # learn() then resets the environment: the episode starts anew
        self.reason = self.reason or self._environment.reason

    def restore_late(self, state: dict[str, Any]) -> None:
        """Put back what ``learn`` makes anew or uses before its first ``on_rollout_start``; call it there.

        Those are the noise of exploration, the logger and the random number generators.
        """
        self._noise.restore(state["noise"])
        if not hasattr(self._model, "_logger"):  # nothing is left to learn, and so nobody has made one
            self._model.set_logger(Logger(None, []))
        self._model.logger.name_to_value.update(state["logged"])
        generators = dict(state["generators"])
        self._model.action_space.np_random.bit_generator.state = generators.pop("action_space")
        restore_generators(generators)


def algorithm_name(model: BaseAlgorithm) -> str:
    """Return the library and class of a model's algorithm, such as ``stable_baselines3.DQN``."""
    return f"{type(model).__module__.split('.')[0]}.{type(model).__name__}"


def logged(model: BaseAlgorithm) -> dict[str, float]:
    """Return what the algorithm has logged of its training since it last printed its log, by name."""
    if not hasattr(model, "_logger"):
        return {}
    values = model.logger.name_to_value
    return {name: float(values[name]) for name in sorted(values) if name.startswith(LOGGED)}


def losses(model: BaseAlgorithm) -> dict[str, float | None]:
    """Return the losses of the last gradient step by column; None where it had none.

    The columns of a verified algorithm are the same from its first row on; others have those they have logged.
    """
    values = logged(model)
    found = (name.removeprefix(LOGGED) for name in values if name.endswith("loss"))
    names = VERIFIED.get(algorithm_name(model)) or tuple(found)
    # "loss" alone is what every algorithm has that minimises a single one.
    return {("train_loss" if name == "loss" else name): values.get(LOGGED + name) for name in names}


def _attribute(model: BaseAlgorithm, dotted: str) -> Any:
    value: Any = model
    for part in dotted.split("."):
        value = getattr(value, part)
    return value


def _space_generator(model: BaseAlgorithm) -> dict[str, Any]:
    state = model.action_space.np_random.bit_generator.state
    return dict(state)
