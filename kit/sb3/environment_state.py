"""An environment's own state: captured and restored by get_state/set_state, by pickle, or by replay of the episode."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any, Protocol, cast

import cloudpickle  # type: ignore[import-untyped]
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from kit.sb3.sub_environments import forgotten, get_states, set_states, unsupported

METHODS = {
    "get_state": "the vectorised environment's own get_state and set_state",
    "env_method": "get_state and set_state of each environment",
    "pickle": "pickle of each environment",
    "replay": "replay of the present episode (kit.sb3.Replayable, put around each environment)",
    "process": "replay of the present episode in a fresh process (kit.sb3.Replayable and EpisodeProcess)",
}
"""The ways to an environment's state, in the order in which they are tried."""
UNPICKLABLE = (
    pickle.PicklingError, TypeError, AttributeError, ValueError, RuntimeError, NotImplementedError, ImportError,
    RecursionError,
)  # fmt: skip
"""What objects raise that do not pickle."""


class Restorable(Protocol):
    """A vectorised environment that can tell its state as a tree of arrays and plain values, and take it back."""

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future of the environment."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from ``state``."""
        ...


@dataclass(frozen=True)
class CaptureMethod:
    """How the state of an environment is captured: one of METHODS, or ``"none"``; then ``reason`` says why."""

    name: str
    reason: str | None = None


class EnvironmentState:
    """Captures and restores one VecEnv, the innermost one.

    ``method`` is what a trial found to work (``environment_trial``); where none was made, the first that is possible
    at all. With ``"none"`` the run goes on without, and its resume is not exact: episodes start anew. ``reason`` says
    why; also after a ``restore`` that did not succeed.
    """

    def __init__(self, env: VecEnv, method: CaptureMethod | None = None) -> None:
        self._env = env
        method = method or _first_possible(env)
        self.method, self.reason = method.name, method.reason
        if self.method in METHODS and (why := impossible(env, self.method)):
            self.method, self.reason = (
                "none",
                f"the environment's state is not captured: {self.method}: {why}",
            )

    def capture(self) -> dict[str, Any]:
        """Return the state as a tree for ``kit.tensors``."""
        if self.method == "none":
            return {"method": "none"}
        if self.method == "get_state":
            return {"method": "get_state", "state": cast(Restorable, self._env).get_state()}
        if self.method == "pickle":
            return {"method": "pickle", "envs": pickled(self._env)}
        return {"method": self.method, "states": get_states(self._env)}

    def restore(self, captured: dict[str, Any]) -> bool:
        """Continue from ``captured``; return False, with a ``reason``, when only a reset is possible.

        A ``reason`` beside True says what did not come back with the episode.
        """
        if self.method == "none":
            return False
        reason = self._restore(captured)
        if reason is not None:
            self.reason = f"the environment's state did not come back, its episode starts anew: {reason}"
        return reason is None

    def _restore(self, captured: dict[str, Any]) -> str | None:
        if captured["method"] != self.method:
            return f"it was captured by {captured['method']}, and here {self.method} is what works"
        if self.method == "get_state":
            cast(Restorable, self._env).set_state(captured["state"])
            return None
        if self.method != "pickle":
            reason = set_states(self._env, captured["states"])
            self.reason = forgotten(self._env) if reason is None else None
            return reason
        assert isinstance(self._env, DummyVecEnv)
        # Only reached after the checkpoint's manifest has been verified; see kit.harness.checkpoints.
        self._env.envs = pickle.loads(captured["envs"])
        return None


def pickled(env: VecEnv) -> bytes:
    """Return the environments of a DummyVecEnv as bytes; those that only cloudpickle knows (lambdas) by that."""
    assert isinstance(env, DummyVecEnv)
    try:
        return pickle.dumps(env.envs)
    except UNPICKLABLE:
        return cast(bytes, cloudpickle.dumps(env.envs))


def impossible(env: VecEnv, method: str) -> str | None:
    """Return why ``method`` cannot be had of ``env``, without trying whether what it captures suffices."""
    if method == "get_state":
        # Asked of the type: a VecEnvWrapper answers for the environment inside it, and would leave itself out.
        missing = not all(hasattr(type(env), name) for name in ("get_state", "set_state"))
        return f"{type(env).__name__} has none" if missing else None
    if method != "pickle":
        return unsupported(env)
    if type(env) is not DummyVecEnv:
        return f"{type(env).__name__} is not pickled"
    try:
        pickle.loads(pickled(env))
    except UNPICKLABLE as error:
        return f"the environment does not pickle: {error}"
    return None


def _first_possible(env: VecEnv) -> CaptureMethod:
    reasons = []
    for method in ("get_state", "env_method", "pickle"):
        why = impossible(env, method)
        if why is None:
            return CaptureMethod(method)
        reasons.append(f"{method}: {why}")
    return CaptureMethod("none", "the environment's state is not captured: " + "; ".join(reasons))
