"""The process that episodes are forked from: the script that kit.sb3.episode_process starts, with a socket's number.

It loads what makes the environment, and makes none: every byte that comes through the socket brings another socket,
and a forked child that makes an environment, plays one episode on it and answers over that one. So every episode
begins in a process that is as the one before it was.

Nobody is left behind: server and children leave when their socket closes, which the kernel sees to however the
training process dies, and also when their parent is gone (some other process may hold a copy of the socket).
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from kit.randomness import seed_generators

ORPHAN_CHECK_S = 2.0


def main(control_fd: int) -> None:
    """Fork a child for every request until the training process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training process to handle
    control = socket.socket(fileno=control_fd)
    first, parent = Connection(os.dup(control_fd)), os.getppid()
    try:
        sys.path[:] = first.recv()  # the factory is found where the training process finds it
        make_env = cloudpickle.loads(first.recv_bytes())
    except Exception as error:  # noqa: BLE001 - told to the training process, which raises it
        first.send(f"{type(error).__name__}: {error}")
        return
    first.send(None)
    first.close()
    while _wait(control, parent):
        request, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not request:
            return
        _reap()
        if os.fork() == 0:
            control.close()
            _serve(Connection(fds[0]), make_env)
            os._exit(0)
        os.close(fds[0])


def _reap() -> None:
    """Wait for the children that have ended: their CPU seconds then count as this process's children's."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _serve(channel: Connection, make_env: Callable[[], Any]) -> None:
    """Make an environment and do what is asked: messages are (name, keyword arguments)."""
    parent = os.getppid()
    made: list[Any] = []

    def answer(name: str, arguments: dict[str, Any]) -> Any:
        if not made:
            # First of all: libraries have drawn their seeds from the system, and the environment may use their
            # global generators.
            seed_generators(arguments.get("seed") or 0)
            made.append(make_env())
            seed_generators(arguments.get("seed") or 0)
        if name == "spaces":
            return made[0].observation_space, made[0].action_space
        return getattr(made[0], name)(**arguments)

    try:
        while _wait(channel, parent):
            name, arguments = channel.recv()
            try:
                reply = True, answer(name, arguments)
            except Exception:  # noqa: BLE001 - told to the training process, which raises it
                reply = False, traceback.format_exc(limit=-3)
            channel.send(reply)
            if name == "close":
                return
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the training process has ended the episode, or is gone


def _wait(channel: Any, parent: int) -> bool:
    """Wait until there is something to read; False once the parent is gone."""
    while not select.select([channel], [], [], ORPHAN_CHECK_S)[0]:
        if os.getppid() != parent:
            return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]))
