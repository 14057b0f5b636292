"""The state of vectorised-environment wrappers (VecNormalize, VecMonitor, VecFrameStack), as arrays and numbers."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import (
    VecCheckNan,
    VecEnv,
    VecEnvWrapper,
    VecExtractDictObs,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
    VecTransposeImage,
)
from stable_baselines3.common.vec_env.stacked_observations import StackedObservations

WRAPPERS: dict[type[VecEnvWrapper], tuple[str, ...]] = {
    VecNormalize: ("obs_rms", "ret_rms", "returns", "old_obs", "old_reward"),
    VecMonitor: ("episode_returns", "episode_lengths", "episode_count"),
    VecFrameStack: ("stacked_obs",),
    VecTransposeImage: (),
    VecCheckNan: (),
    VecExtractDictObs: (),
}
"""The wrappers that are captured, each with the attributes that decide what it gives next."""
MOMENTS = ("mean", "var", "count")


class WrapperState:
    """Captures and restores the wrappers around one VecEnv; ``base`` is the environment inside all of them.

    ``reason`` names the wrappers whose state is not known (None: all are). A subclass is one of those.
    """

    def __init__(self, env: VecEnv) -> None:
        self._wrappers: list[VecEnvWrapper] = []
        while isinstance(env, VecEnvWrapper):
            self._wrappers.append(env)
            env = env.venv
        self.base = env
        unknown = [type(wrapper).__name__ for wrapper in self._wrappers if type(wrapper) not in WRAPPERS]
        self.reason = f"the state of {', '.join(unknown)} is not captured" if unknown else None

    def capture(self) -> list[dict[str, Any]]:
        """Return a tree for ``kit.tensors``: one entry a wrapper, outermost first. It refers to live arrays."""
        return [
            {
                "wrapper": type(wrapper).__name__,
                "state": {name: plain(getattr(wrapper, name)) for name in _attributes(wrapper)},
            }
            for wrapper in self._wrappers
        ]

    def restore(self, captured: list[dict[str, Any]]) -> bool:
        """Continue from ``captured``; return False, changing nothing, where it is of another stack of wrappers."""
        names = [type(wrapper).__name__ for wrapper in self._wrappers]
        if [entry["wrapper"] for entry in captured] != names:
            return False
        for wrapper, entry in zip(self._wrappers, captured, strict=True):
            for name, value in entry["state"].items():
                setattr(wrapper, name, put_back(getattr(wrapper, name, None), value))
        return True


def _attributes(wrapper: VecEnvWrapper) -> list[str]:
    # Which of them there are depends on a wrapper's settings: without norm_obs, VecNormalize has no obs_rms.
    return [name for name in WRAPPERS.get(type(wrapper), ()) if hasattr(wrapper, name)]


def plain(value: Any) -> Any:
    """Return the arrays and numbers of which ``value`` consists."""
    if isinstance(value, RunningMeanStd):
        return {name: getattr(value, name) for name in MOMENTS}
    if isinstance(value, StackedObservations):
        stacks = getattr(value, "sub_stacked_observations", None)
        return value.stacked_obs if stacks is None else plain(stacks)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def put_back(current: Any, saved: Any) -> Any:
    """Return ``current`` with what ``plain`` took of such a value: objects are kept and filled."""
    if isinstance(current, RunningMeanStd):
        for name in MOMENTS:
            setattr(current, name, saved[name])
        return current
    if isinstance(current, StackedObservations):
        stacks = getattr(current, "sub_stacked_observations", None)
        if stacks is None:
            current.stacked_obs = saved
        else:
            put_back(stacks, saved)
        return current
    if isinstance(current, dict):
        return {key: put_back(item, saved[key]) for key, item in current.items()}
    return saved
