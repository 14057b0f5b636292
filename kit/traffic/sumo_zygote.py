"""The process that SUMO episodes are forked from: libsumo loaded once, one thread, nothing else in it.

Run as ``python -m kit.traffic.sumo_zygote FD``, where FD is a Unix socket to the training process. Each
byte that comes through it brings two descriptors, a socket and a log file, and starts one episode in a
forked child, which then talks over that socket. Forking from here and not from the training process keeps
torch, its threads and its memory out of the children, and costs milliseconds where a fresh interpreter
costs half a second.

Nobody is left behind: zygote and children leave when their socket closes, which the kernel sees to however
the training process dies, and also when their parent is gone (a copy of the socket may survive in some
other process).
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import libsumo

from kit.traffic.sumo_episode import EpisodeSpec, SumoEpisode

ORPHAN_CHECK_S = 2.0


def main(control_fd: int) -> None:
    """Fork an episode for every request until the training process is gone."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C belongs to the training process; it decides what ends
    control = socket.socket(fileno=control_fd)
    parent = os.getppid()
    control.sendall(b"R")
    while _wait(control, parent):
        request, fds, _, _ = socket.recv_fds(control, 1, 2)
        if not request:
            return
        _reap()
        if os.fork() == 0:
            control.close()
            _serve(*fds)
            os._exit(0)
        for fd in fds:
            os.close(fd)


def _reap() -> None:
    """Wait for the children that have ended: their CPU seconds then count as this process's children's."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _serve(channel_fd: int, log_fd: int) -> None:
    """Run one episode: the first message is its spec, the others are (method, arguments)."""
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    channel, parent = Connection(channel_fd), os.getppid()
    try:
        spec: EpisodeSpec = channel.recv()
        episode = _answer(channel, lambda: SumoEpisode(spec), lambda made: made.last)
        while episode is not None and _wait(channel, parent):
            method, arguments = channel.recv()
            _answer(channel, lambda: getattr(episode, method)(*arguments), lambda result: result)  # noqa: B023
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the training process closed the episode, or is gone


def _answer(channel: Connection, work: Any, reply: Any) -> Any:
    """Do the work and send ``(True, reply)``, or ``(False, what went wrong)``; returns the result or None."""
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - it is raised again in the training process
        channel.send((False, f"{type(error).__name__}: {error}"))
        return None
    channel.send((True, reply(result)))
    return result


def _wait(channel: Any, parent: int) -> bool:
    """Wait until there is something to read; False once the parent is gone."""
    while not select.select([channel], [], [], ORPHAN_CHECK_S)[0]:
        if os.getppid() != parent:
            return False
    return True


if __name__ == "__main__":
    _ = libsumo.__name__  # imported here so that every child has it
    main(int(sys.argv[1]))
