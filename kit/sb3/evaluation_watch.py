"""Watches the first evaluation of a quick test: does it touch the environment that trains?"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from kit.preflight.evaluation import EvaluationSeen
from kit.randomness import capture_generators
from kit.sb3.environment_state import EnvironmentState
from kit.sb3.evaluation import Evaluation
from kit.tensors import encode

COMPARED = ("get_state", "env_method", "replay", "process")
"""The ways of capture whose states are the same bytes as long as nothing happened."""


class EvaluationWatch:
    """Counts what one environment is asked for while an evaluation runs, and compares its state.

    ``env`` is the innermost of the environments that train.

    Only the first evaluation is watched: the times of the others are those of the full run.
    """

    def __init__(self, env: VecEnv, state: EnvironmentState) -> None:
        self._env, self._state = env, state
        self._resets = self._steps = self._times = 0
        self._changed, self._asked = False, False
        self._drew: tuple[str, ...] = ()

    def around(self, evaluation: Evaluation | None) -> Evaluation | None:
        """Return an evaluation that does the same, watched."""
        if evaluation is None:
            return None
        self._asked = True
        return replace(evaluation, run=self._watched(evaluation.run))

    @property
    def seen(self) -> EvaluationSeen:
        """What was seen so far."""
        return EvaluationSeen(self._asked, self._times, self._resets, self._steps, self._changed, self._drew)

    def _watched(
        self, run: Callable[[BaseAlgorithm], Mapping[str, float]]
    ) -> Callable[[BaseAlgorithm], Mapping[str, float]]:
        def watched(model: BaseAlgorithm) -> Mapping[str, float]:
            self._times += 1
            if self._times > 1:
                return run(model)
            state, generators = self._state_now(), _generators()
            with self._counted():
                found = run(model)
            self._changed = self._state_now() != state
            now = _generators()
            self._drew = tuple(name for name in now if now[name] != generators.get(name))
            return found

        return watched

    def _state_now(self) -> list[bytes]:
        if self._state.method not in COMPARED:
            return []
        return [*encode(self._state.capture()).values()]

    @contextmanager
    def _counted(self) -> Generator[None, None, None]:
        env: Any = self._env
        inner = [one.unwrapped for one in env.envs] if isinstance(env, DummyVecEnv) else [env]
        step = "step" if isinstance(env, DummyVecEnv) else "step_async"
        replaced: list[tuple[Any, str]] = []
        try:
            for one in inner:
                for name, count in (("reset", self._count_reset), (step, self._count_step)):
                    with suppress(AttributeError, TypeError):  # an object that takes no attributes
                        setattr(one, name, _counting(getattr(one, name), count))
                        replaced.append((one, name))
            yield
        finally:
            for one, name in replaced:
                delattr(one, name)

    def _count_reset(self) -> None:
        self._resets += 1

    def _count_step(self) -> None:
        self._steps += 1


def _counting(method: Callable[..., Any], count: Callable[[], None]) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        count()
        return method(*arguments, **named)

    return counted


def _generators() -> dict[str, list[bytes]]:
    return {name: [*encode({"": state}).values()] for name, state in capture_generators().items()}
