"""An environment whose state is the seed and the actions of its present episode: it comes back by replay."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import zlib
from typing import Any

import gymnasium
import numpy as np

from kit.errors import IntegrityError, UsageError
from kit.sb3.hidden_state import content, known

FIRST_ROOM = 256
SEEDS = 2**31


class Replayable(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Gives any environment that is deterministic under its seed a ``get_state`` and a ``set_state``.

    Put it outermost, around Monitor as well: what it wraps is taken through the episode again, and comes out as it
    was. ``learn`` does that itself for a Gymnasium environment and for those of a DummyVecEnv; in a SubprocVecEnv it
    belongs into the factories: ``make_vec_env(env, wrapper_class=Replayable, vec_env_cls=SubprocVecEnv)``.

    Every episode gets an explicit seed, from a generator that is part of the state; the first one's is the seed
    that ``reset`` was given. An episode's actions are kept in memory and in the checkpoint until it ends: 12 bytes a
    step for a discrete action (8, and 4 for a checksum of what the environment answered). Going back costs the
    episode so far. What the environment remembers of the episodes before does not come back: ``forgotten`` then names
    the attributes that are not what they were.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._generator = np.random.default_rng()
        self.forgotten: list[str] = []
        if multiprocessing.parent_process() and threading.current_thread() is threading.main_thread():
            # Ctrl-C reaches the processes of a SubprocVecEnv too: they must be there for the run's last checkpoint.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._begin(None, None)

    def _begin(self, seed: int | None, options: dict[str, Any] | None) -> None:
        self._seed, self._options, self._steps = seed, options, 0
        self._actions: np.ndarray | None = None
        self._answers = np.zeros(0, np.uint32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; without a ``seed`` it gets one that the last seeding decides."""
        if seed is None:
            seed = int(self._generator.integers(SEEDS))
        else:
            self._generator = np.random.default_rng(seed)
        self._begin(seed, options)
        observation, info = self.env.reset(seed=seed, options=options)
        self._note(None, checksum(observation))
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one action, and remember it.

        Raises:
            UsageError: the action has another type or shape than those before it in the episode.
        """
        taken = np.array(action)  # a copy: an environment may write into the action it is given
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._note(taken, checksum(observation, reward, terminated, truncated))
        return observation, reward, terminated, truncated, info

    def _note(self, action: np.ndarray | None, answer: int) -> None:
        """Remember what was done (None: a reset) and a checksum of what came back, in arrays that double."""
        if action is not None:
            if self._actions is None:
                self._actions = np.zeros((FIRST_ROOM, *action.shape), action.dtype)
            elif (action.shape, action.dtype) != (self._actions.shape[1:], self._actions.dtype):
                raise UsageError(
                    f"An action of type {action.dtype} and shape {action.shape} after others of type "
                    f"{self._actions.dtype} and shape {self._actions.shape[1:]}: those of an episode are of one kind."
                )
            if self._steps == len(self._actions):
                self._actions = np.concatenate([self._actions, np.zeros_like(self._actions)])
            self._actions[self._steps] = action
            self._steps += 1
        if self._steps >= len(self._answers):
            self._answers = np.concatenate(
                [self._answers, np.zeros(max(FIRST_ROOM, len(self._answers)), np.uint32)]
            )
        self._answers[self._steps] = answer

    def get_state(self) -> dict[str, Any]:
        """Return the state as a tree for ``kit.tensors``: seed, options, actions (steps, …), checksums (steps + 1)."""
        return {
            "generator": self._generator.bit_generator.state,
            "seed": self._seed,
            "options": self._options,
            "actions": None if self._actions is None else self._actions[: self._steps].copy(),
            "answers": self._answers[: self._steps + 1].copy(),
            "remembered": self._remembered(),
        }

    def _remembered(self) -> dict[str, int]:
        """Return a checksum of every attribute of an environment or wrapper of one's own, where it has one."""
        found: dict[str, int] = {}
        env: Any = self.env
        while env is not None:
            for name, value in vars(env).items() if not known(type(env)) else ():
                held = None if isinstance(value, gymnasium.Env | gymnasium.Space) else content(value)
                if held is not None:
                    found[f"{type(env).__name__}.{name}"] = zlib.crc32(held)
            env = env.env if isinstance(env, gymnasium.Wrapper) else None
        return found

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to where ``state`` was taken, by playing its episode again.

        Raises:
            IntegrityError: the environment answered otherwise than it did; the message names the step.
        """
        reason = self.replay(state)
        if reason is not None:
            raise IntegrityError(f"The episode does not come back: {reason}.")

    def replay(self, state: dict[str, Any]) -> str | None:
        """As ``set_state``, but return how the environment answered otherwise, or None where it did not.

        (An exception would end the process of an environment in a SubprocVecEnv.)
        """
        self._generator = np.random.default_rng()
        if state["seed"] is not None:
            reason = self._play(state)
            if reason is not None:
                return reason
        self._generator.bit_generator.state = state["generator"]
        now, then = self._remembered(), state["remembered"]
        self.forgotten = [name for name in then if now.get(name) != then[name]]
        return None

    def _play(self, state: dict[str, Any]) -> str | None:
        actions = () if state["actions"] is None else state["actions"]
        step = 0
        try:
            self.reset(seed=state["seed"], options=state["options"])
            while self._answers[step] == state["answers"][step]:
                if step == len(actions):
                    return None
                step += 1
                self.step(actions[step - 1])
        except Exception as error:  # noqa: BLE001 - whatever it is, the first time it was not raised
            return f"the replayed episode failed at step {step} with {type(error).__name__}: {error}"
        return f"the replayed episode differs at step {step} of {len(actions)}"


def checksum(*values: Any) -> int:
    """Return a CRC-32 of observations, rewards and flags: arrays, numbers, texts, and dicts and tuples of them."""
    total = 0
    for value in values:
        if isinstance(value, dict):
            parts = [part for key in sorted(value) for part in (str(key), value[key])]
            total = zlib.crc32(checksum(*parts).to_bytes(4, "big"), total)
        elif isinstance(value, tuple | list):
            total = zlib.crc32(checksum(*value).to_bytes(4, "big"), total)
        elif isinstance(value, str):
            total = zlib.crc32(value.encode(), total)
        else:
            total = zlib.crc32(np.ascontiguousarray(value).tobytes(), total)
    return total
