"""State that a user's own code keeps where no capture looks: it is not captured, but seen to change."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator
from io import BytesIO
from types import FunctionType, MethodType
from typing import Any

import gymnasium
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

KNOWN = ("torch.", "stable_baselines3.", "sb3_contrib.", "gymnasium.", "kit.")
"""The packages whose classes are known to remember nothing that is not captured."""
SCHEDULES = ("lr_schedule", "clip_range", "clip_range_vf", "exploration_schedule")
ELSEWHERE = (
    torch.nn.Module,
    torch.nn.Parameter,
    torch.optim.Optimizer,
    Distribution,
    FunctionType,
    MethodType,
)
"""What is looked at by itself, or is made anew at every step."""
MOST_BYTES = 2**20
"""What is larger is not looked at."""
OF_TORCH = set(vars(torch.nn.Module())) | {"state", "param_groups", "defaults"}
"""Attributes of modules and optimizers that their state_dict tells, or that decide nothing."""


class HiddenState:
    """Watches what the code around one model remembers beside what is captured.

    Looked at are the attributes of policies, feature extractors and optimizers of one's own, buffers that
    ``state_dict`` leaves out, schedules that are objects, and what the classes of environments share. What does not
    pickle or is large is not seen, nor are the globals of a module.
    """

    def __init__(self, model: BaseAlgorithm, env: VecEnv) -> None:
        self._model, self._env = model, env
        self._first = self._sums()

    @property
    def reason(self) -> str | None:
        """What has changed since the model was made; None where nothing has."""
        now = self._sums()
        changed = [name for name in now if now[name] != self._first.get(name)]
        return f"{', '.join(changed)} changes in training and is not captured" if changed else None

    def _sums(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for name, value in self._attributes():
            if (held := content(value)) is not None:
                sums[name] = zlib.crc32(held, sums.get(name, 0))
        return sums

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        """Yield everything watched with its name, such as ``Extractor.calls``."""
        for module in self._model.policy.modules():
            for name in module._non_persistent_buffers_set:
                yield f"{type(module).__name__}.{name}", module._buffers[name]
        optimizers = (getattr(module, "optimizer", None) for module in self._model.policy.modules())
        for one in (*self._model.policy.modules(), *optimizers):
            if one is not None and not known(type(one)):
                yield from (
                    (f"{type(one).__name__}.{k}", v) for k, v in vars(one).items() if k not in OF_TORCH
                )
        for name in SCHEDULES:
            yield name, getattr(self._model, name, None)
        for kind in _environment_classes(self._env):
            yield from ((f"{kind.__name__}.{name}", value) for name, value in vars(kind).items())


def _environment_classes(env: VecEnv) -> list[type]:
    """Return the classes of the environments in a DummyVecEnv and of their wrappers, those of one's own."""
    found: dict[type, None] = {}
    for one in env.envs if isinstance(env, DummyVecEnv) else ():
        while True:
            found.update({kind: None for kind in type(one).__mro__ if kind is not object and not known(kind)})
            if not isinstance(one, gymnasium.Wrapper):
                break
            one = one.env
    return list(found)


def known(kind: type) -> bool:
    """Whether a class is one of KNOWN's."""
    return f"{kind.__module__}.".startswith(KNOWN)


def content(value: Any) -> bytes | None:
    """Return what ``value`` holds, as bytes to compare; None where that cannot be had."""
    written = _Bounded()
    try:
        _Content(written).dump(value)
    except Exception:  # noqa: BLE001 - objects raise whatever they like when they are pickled
        return None
    return written.getvalue()


class _Bounded(BytesIO):
    """Memory for MOST_BYTES: a checkpoint does not wait for a table that an environment holds."""

    def write(self, part: Any) -> int:
        if self.tell() + memoryview(part).nbytes > MOST_BYTES:
            raise ValueError("too large")
        return super().write(part)


class _Content(pickle.Pickler):
    """Pickles what an object holds, tensors and torch's generators by their values."""

    def persistent_id(self, value: Any) -> str | None:
        kind: type = type(value)
        return kind.__name__ if isinstance(value, ELSEWHERE) else None

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return bytes, (value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes(),)
        if isinstance(value, torch.Generator):
            return bytes, (value.get_state().numpy().tobytes(),)
        return NotImplemented
