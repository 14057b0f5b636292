"""An environment's own state, by the first way that works: get_state/set_state, else pickle, else not at all."""

from __future__ import annotations

import pickle
from typing import Any, Protocol, cast

from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv


class Restorable(Protocol):
    """A vectorised environment that can tell its state as a tree of arrays and plain values, and take it back."""

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future of the environment."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from ``state``."""
        ...


class EnvironmentState:
    """Captures and restores one VecEnv.

    ``method`` is ``"get_state"``, ``"pickle"`` (a DummyVecEnv whose environments pickle) or ``"none"``; then
    ``reason`` says why, the run goes on without, and its resume is not exact: episodes start anew.
    """

    def __init__(self, env: VecEnv) -> None:
        self._env = env
        self.reason: str | None = None
        # Asked of the type: a VecEnvWrapper answers for the environment inside it, and would leave itself out.
        if all(hasattr(type(env), name) for name in ("get_state", "set_state")):
            self.method = "get_state"
        elif type(env) is DummyVecEnv and self._pickles(env):
            self.method = "pickle"
        else:
            self.method = "none"
            self.reason = self.reason or f"{type(env).__name__} has no get_state/set_state and is not pickled"

    def _pickles(self, env: DummyVecEnv) -> bool:
        try:
            pickle.loads(pickle.dumps(env.envs))
        except (pickle.PicklingError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            self.reason = f"the environment has no get_state/set_state and does not pickle: {error}"
            return False
        return True

    def capture(self) -> dict[str, Any]:
        """Return the state as a tree for ``kit.tensors``."""
        if self.method == "get_state":
            return {"method": "get_state", "state": cast(Restorable, self._env).get_state()}
        if self.method == "pickle":
            assert isinstance(self._env, DummyVecEnv)
            return {"method": "pickle", "envs": pickle.dumps(self._env.envs)}
        return {"method": "none"}

    def restore(self, captured: dict[str, Any]) -> bool:
        """Continue from ``captured``; return False when only a reset is possible."""
        if captured["method"] != self.method or self.method == "none":
            return False
        if self.method == "get_state":
            cast(Restorable, self._env).set_state(captured["state"])
            return True
        assert isinstance(self._env, DummyVecEnv)
        # Only reached after the checkpoint's manifest has been verified; see kit.harness.checkpoints.
        self._env.envs = pickle.loads(captured["envs"])
        return True
