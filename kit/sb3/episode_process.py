"""An environment that plays each episode in a fresh process, for simulators that remember the episode before."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import gymnasium

from kit.errors import KitError, UsageError
from kit.harness.child_environment import with_the_kit

SERVER = Path(__file__).with_name("episode_server.py")


class EpisodeProcess(gymnasium.Env[Any, Any]):
    """The environment that ``make_env`` makes, anew for each episode, in a process forked from one that made none.

    With Replayable around it, it comes back exactly even where the simulator keeps hidden state in its process
    (libsumo does). Global random generators of Python, numpy and torch are seeded there with the episode's seed, and
    hashes of strings are the same in every process. Forking costs some milliseconds beside making the environment.

    Args:
        make_env: makes one Gymnasium environment; it travels by cloudpickle, so it may stand in a notebook.

    Raises:
        UsageError: ``make_env`` cannot be sent to another process, or not be loaded there.
        KitError: the environment failed in its process or the process died; also from ``reset`` and ``step``.
    """

    def __init__(self, make_env: Callable[[], gymnasium.Env[Any, Any]]) -> None:
        self._control, server = _start_server(make_env)
        self._end_server = weakref.finalize(self, _end, self._control, server)
        self._channel: Connection | None = None
        self.observation_space, self.action_space = self._ask("spaces")
        self._end_episode()  # made without the seed of an episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in a process of its own; the process before is gone."""
        self._end_episode()
        observation, info = self._ask("reset", seed=seed, options=options)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one action and wait for its end.

        Raises:
            UsageError: no episode was begun.
        """
        if self._channel is None:
            raise UsageError("reset() comes before step().")
        observation, reward, terminated, truncated, info = self._ask("step", action=action)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """End all processes."""
        self._end_episode()
        self._end_server()

    def _ask(self, name: str, **arguments: Any) -> Any:
        try:
            if self._channel is None:
                self._channel = self._fork()
            self._channel.send((name, arguments))
            done, reply = self._channel.recv()
        except (EOFError, OSError) as error:
            self._end_episode()
            raise KitError(f"The process of an environment died in {name}() ({error!r}).") from error
        if not done:
            raise KitError(f"The environment failed in {name}(), in a process of its own:\n{reply}")
        return reply

    def _fork(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"F"], [theirs.fileno()])
        return Connection(ours.detach())

    def _end_episode(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel = None


def _start_server(make_env: Callable[[], Any]) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start the process that episodes are forked from; return the socket to it, and the process."""
    try:
        factory = cloudpickle.dumps(make_env)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"What makes the environment cannot be sent to another process: {error}") from error
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", str(SERVER), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a signal to the run's process group is for the run to handle
        )
    talk = Connection(os.dup(ours.fileno()))
    try:
        talk.send([entry or str(Path.cwd()) for entry in sys.path])
        talk.send_bytes(factory)
        reason = talk.recv()
    except (EOFError, OSError) as error:
        reason = f"its process died ({error!r})"
    finally:
        talk.close()
    if reason is not None:
        _end(ours, process)
        raise UsageError(f"What makes the environment cannot be loaded in another process: {reason}")
    return ours, process


def _end(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Return the server's environment: one thread, and the same hashes of strings in each."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return with_the_kit({**os.environ, "PYTHONHASHSEED": "0", **one_thread})
