"""The trial: which way an environment's state comes back by, found out on environments that are thrown away."""

from __future__ import annotations

import logging
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from kit.errors import KitError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.summary import read_json, write_json
from kit.randomness import capture_generators, restore_generators, seed_generators
from kit.sb3.environment_state import METHODS, CaptureMethod, EnvironmentState, impossible
from kit.sb3.vectorised import MakeEnv, vectorised
from kit.tensors import decode, encode

logger = logging.getLogger(__name__)

BEFORE, AFTER, NEXT = 5, 45, 5
"""Steps before the capture, after it, and then, after a reset, of the next episode."""
LONG_S = 2.0

WRAPPED = ("replay", "process")
"""The methods for which ``vectorised`` puts something around the environments."""
Trace = list[dict[str, bytes]]
"""What an environment answered, step by step: the bytes of each part of it."""


def capture_method(make_env: MakeEnv, memory: Path, clock: Clock = SYSTEM_CLOCK) -> CaptureMethod:
    """Return how the run's checkpoints capture its environment: as ``memory`` says, or as a trial finds.

    It can decide results (a replayable environment gives its episodes seeds), so the sessions of a run share one.
    Compiles and loads what the first steps need, and leaves the global random number generators as they were.
    """
    kept, began = capture_generators(), clock.monotonic()
    try:
        known = _remembered(memory)
        if known is not None and _still_possible(make_env, known):
            return CaptureMethod(known)
        method = try_methods(make_env)
    finally:
        restore_generators(kept)
    took_s = clock.monotonic() - began
    if took_s > LONG_S:
        logger.info("Trying out how the environment's state can be captured took %.1f s.", took_s)
    if method.name == "none":
        logger.warning("Resume will not be exact: %s", method.reason)
    else:
        write_json(memory, {"method": method.name})
    return method


def _remembered(memory: Path) -> str | None:
    try:
        name = read_json(memory).get("method")
    except KitError as error:
        logger.warning("%s; how the environment is captured is tried out again.", error)
        return None
    return name if name in METHODS else None


def _still_possible(make_env: MakeEnv, name: str) -> bool:
    """Whether the environment can be captured as it was; takes some first steps with it."""
    try:
        env = vectorised(make_env, name)
    except KitError as error:
        why: str | None = str(error)
    else:
        _Steps(env.unwrapped).begin(1, steps=2)
        why = impossible(env.unwrapped, name)
        env.close()
    if why is not None:
        logger.warning("The environment was captured by %s, which is no longer possible: %s", name, why)
    return why is None


def try_methods(make_env: MakeEnv) -> CaptureMethod:
    """Return the first of METHODS by which an environment, restored, goes on as the captured one did; or none."""
    env = vectorised(make_env)
    _Steps(env.unwrapped).begin(1, steps=2)
    reasons = []
    for name in METHODS:
        why = _hopeless(env.unwrapped, name) or _tried(make_env, name)
        if why is None:
            logger.debug("The environment's state is captured by %s.", METHODS[name])
            break
        reasons.append(f"{name}: {why}")
    env.close()
    if len(reasons) < len(METHODS):
        return CaptureMethod(name)
    return CaptureMethod("none", "the environment's state is not captured: " + "; ".join(reasons))


def _hopeless(env: VecEnv, name: str) -> str | None:
    """Return why there is no need to try ``name``, or None."""
    if name not in WRAPPED:
        return impossible(env, name)
    if type(env) is not DummyVecEnv:
        return f"nothing is put around the environments of a {type(env).__name__}"
    return None


def _tried(make_env: MakeEnv, name: str) -> str | None:
    """Return why ``name`` does not bring the environment back, or None where it does.

    The original is gone before the restored one is made: some simulators exist only once in a process.
    """
    try:
        steps = _Steps(_opened(make_env, name, seed=1))
        steps.begin(1, BEFORE)
    except KitError as error:
        if name in WRAPPED:
            return str(error)
        raise
    try:
        files = encode(EnvironmentState(steps.env, CaptureMethod(name)).capture())
        generators = capture_generators()
    except Exception as error:  # noqa: BLE001 - whatever it is, the environment is not captured so
        return f"capturing it failed with {type(error).__name__}: {error}"
    else:
        wanted = steps.go_on()
    finally:
        steps.env.close()
    return _compared(make_env, name, files, generators, steps.actions, wanted)


def _compared(
    make_env: MakeEnv,
    name: str,
    files: dict[str, bytes],
    generators: dict[str, Any],
    actions: list[np.ndarray],
    wanted: Trace,
) -> str | None:
    """Restore another environment from ``files``; return how it goes on otherwise than ``wanted``, or None."""
    env: VecEnv | None = None
    try:
        env = _opened(make_env, name, seed=2)
        env.seed(2)
        state = EnvironmentState(env, CaptureMethod(name))
        if not state.restore(decode(files)):
            return state.reason
        restore_generators(generators)
        found = _Steps(env, actions).go_on()
    except Exception as error:  # noqa: BLE001 - whatever it is, the original did not raise it
        return f"a restored one failed with {type(error).__name__}: {error}"
    finally:
        if env is not None:
            env.close()
    return _difference(found, wanted)


def _opened(make_env: MakeEnv, name: str, seed: int) -> VecEnv:
    """Return a new environment without its VecEnv wrappers, under other global generators than the one before."""
    seed_generators(seed)
    return vectorised(make_env, name).unwrapped


def _difference(found: Trace, wanted: Trace) -> str | None:
    for step, (now, then) in enumerate(zip(found, wanted, strict=True), 1):
        differ = [part for part in then if now[part] != then[part]]
        if differ:
            return f"{' and '.join(differ)} differ {step} steps after it was restored"
    return None


class _Steps:
    """Takes steps with an environment: random ones that are remembered in ``actions``, or those handed in."""

    def __init__(self, env: VecEnv, actions: list[np.ndarray] | None = None) -> None:
        self.env = env
        self.actions: list[np.ndarray] = []
        self._given = iter(actions) if actions is not None else None
        self._space = deepcopy(env.action_space)
        self._space.seed(0)
        self._masked = isinstance(env, DummyVecEnv | SubprocVecEnv) and env.has_attr("action_masks")

    def begin(self, seed: int, steps: int) -> None:
        """Reset under ``seed`` and take ``steps`` steps, which are not remembered."""
        self.env.seed(seed)
        self.env.reset()
        for _ in range(steps):
            self.env.step(self._sampled())

    def go_on(self) -> Trace:
        """Return what AFTER steps answer, then a reset, and NEXT steps of the episode that it begins."""
        trace = [self._step() for _ in range(AFTER)]
        self.env._reset_seeds()  # seeds that wait for a first reset, which a restored environment never had
        trace.append({"observations": _bytes(self.env.reset())})
        return trace + [self._step() for _ in range(NEXT)]

    def _step(self) -> dict[str, bytes]:
        action = self._sampled() if self._given is None else next(self._given)
        self.actions.append(action.copy())
        observations, rewards, dones, infos = self.env.step(action)
        return {
            "observations": _bytes(observations),
            "rewards": _bytes(rewards),
            "dones": _bytes(dones),
            "infos": _bytes([_deciding(info) for info in infos]),
        }

    def _sampled(self) -> np.ndarray:
        """Return an action for each environment, legal ones where the environments say which those are."""
        if self._masked and isinstance(self._space, spaces.Discrete):
            masks = self.env.env_method("action_masks")
            return np.array([self._space.sample(np.asarray(mask, np.int8)) for mask in masks])
        return np.array([self._space.sample() for _ in range(self.env.num_envs)])


def _deciding(info: dict[str, Any]) -> dict[str, Any]:
    """Return what training and its rows take from ``info``: times of the clock are no part of it."""
    episode = info.get("episode", {})
    return {
        "truncated": info.get("TimeLimit.truncated"),
        "last": info.get("terminal_observation"),
        "episode": [episode.get("r"), episode.get("l")],
    }


def _bytes(value: Any) -> bytes:
    """Return observations, rewards or flags as bytes, exactly: arrays, numbers, and dicts and tuples of them."""
    return b"".join(encode({"": value}).values())
