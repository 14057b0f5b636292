"""SUMO episodes as seen from the training process: each in a child, forked from a clean zygote."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, cast

from kit.errors import KitError, MissingDependencyError
from kit.traffic.sumo_episode import EpisodeSpec, SumoStep

logger = logging.getLogger(__name__)

INSTALL = "pip install -r requirements-sumo.txt"


def package_folder(name: str) -> Path:
    """Return where the Python package ``name`` is installed, without importing it.

    Raises:
        MissingDependencyError: it is not installed; the message has the command that installs it.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            f"The SUMO scenarios need the package {name!r}, which is not installed: {INSTALL}"
        )
    return Path(next(iter(spec.submodule_search_locations)))


class EpisodeProcess:
    """One episode in a child process, loading from the moment of construction.

    ``send`` and ``receive`` come apart so that several children can work at the same time; every ``send`` is
    followed by one ``receive``. The child ends with ``close``, or when this object is collected.

    Args:
        spec: which episode.

    Raises:
        MissingDependencyError: libsumo, sumo-rl or eclipse-sumo is not installed.
        KitError: SUMO refused its input, failed or died, with its own words; also from `receive`.
    """

    def __init__(self, spec: EpisodeSpec) -> None:
        self.spec = spec
        # the log file has no name on disk: it goes with the last process that has it open
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._channel = _Zygote.shared().fork(self._log)
        self._close = weakref.finalize(self, _close, self._channel, self._log)
        self._channel.send(spec)
        self._initial: SumoStep | None = None

    @property
    def initial(self) -> SumoStep:
        """What is known before the first decision; waits until SUMO has loaded."""
        if self._initial is None:
            self._initial = cast(SumoStep, self.receive())
        return self._initial

    def send(self, method: str, *arguments: Any) -> None:
        """Ask for ``SumoEpisode.method(*arguments)``."""
        _ = self.initial
        with self._failures():
            self._channel.send((method, arguments))

    def receive(self) -> Any:
        """Wait for the answer to what was sent."""
        with self._failures():
            done, reply = self._channel.recv()
        if not done:
            raise KitError(f"SUMO failed on seed {self.spec.seed}: {reply}{self._said()}")
        return reply

    def step(self, action: int) -> SumoStep:
        """Take one decision and wait for its end."""
        self.send("step", action)
        return cast(SumoStep, self.receive())

    def run(self, actions: Sequence[int]) -> list[SumoStep]:
        """Take these decisions in a row."""
        self.send("run", list(actions))
        return cast("list[SumoStep]", self.receive())

    def close(self) -> None:
        """End the child."""
        self._close()

    @contextlib.contextmanager
    def _failures(self) -> Any:
        try:
            yield
        except (EOFError, OSError) as error:
            raise KitError(
                f"The SUMO process of seed {self.spec.seed} is gone ({error!r}){self._said()}"
            ) from error

    def _said(self) -> str:
        """Return the end of what SUMO printed."""
        if self._log.closed:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        told = [line for line in lines if "rror" in line] or lines[-5:]
        return "\n" + "\n".join(told) if told else ""


def _close(channel: Connection, log: IO[bytes]) -> None:
    channel.close()
    log.close()


class _Zygote:
    """The zygote's process and the socket to it; one for each training process, from its first episode on."""

    _lock = threading.Lock()
    _current: _Zygote | None = None

    @classmethod
    def shared(cls) -> _Zygote:
        with cls._lock:
            if cls._current is None or not cls._current.usable():
                cls._current = cls()
            return cls._current

    def __init__(self) -> None:
        for package in ("libsumo", "sumo", "sumo_rl"):
            package_folder(package)
        self._owner = os.getpid()
        self._control, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as said:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "kit.traffic.sumo_zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # a signal to the run's process group is for the run to handle
            )
            theirs.close()
            if self._control.recv(1) != b"R":
                self._process.wait()
                said.seek(0)
                reason = said.read().decode(errors="replace").strip().splitlines()[-1:]
                raise MissingDependencyError(f"libsumo cannot be loaded ({' '.join(reason)}): {INSTALL}")
        logger.debug("SUMO zygote started, pid %d", self._process.pid)
        atexit.register(self._end)

    def usable(self) -> bool:
        """Whether it lives and was started by this process, not by the one that this was forked from."""
        return self._owner == os.getpid() and self._process.poll() is None

    def fork(self, log: IO[bytes]) -> Connection:
        """Start a child that prints to ``log``; returns the connection to it."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"F"], [theirs.fileno(), log.fileno()])
        return Connection(ours.detach())

    def _end(self) -> None:
        if self._owner != os.getpid():
            return
        with contextlib.suppress(OSError):  # it may have died
            self._control.shutdown(
                socket.SHUT_RDWR
            )  # closing is not enough: a forked process may hold a copy
        self._control.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _environment() -> dict[str, str]:
    """Return the zygote's environment: SUMO's home, one thread, and the kit on the path.

    The working folder is not on it: a file there named like a standard module would take that module's place.
    """
    env = dict(os.environ)
    env.setdefault("SUMO_HOME", str(package_folder("sumo")))
    env |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    root = str(Path(__file__).resolve().parents[2])
    others = (entry for entry in sys.path if entry not in ("", str(Path.cwd())))
    env["PYTHONPATH"] = os.pathsep.join([root, *others])
    return env
