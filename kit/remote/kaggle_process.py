"""The real ``kaggle`` command line as a process: called, never imported, since importing it logs in.

Its output is scrubbed before anybody sees it. It dies with this process, so that a command that was killed pushes
nothing any more; it gets no terminal, no folder of ours to look into, and nothing to ask a person.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.errors import MissingDependencyError, UsageError
from kit.remote.backoff import PassingError
from kit.remote.client_start import end, start
from kit.remote.scrub import Scrubber

PR_SET_PDEATHSIG = 1
SILENT_S = 300.0
NOISE = ("Warning: Looks like you're using an outdated", "Warning: Your Kaggle API key is readable")
"""What the client says on stdout before an answer, whatever it was asked to leave out."""
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class CliReply:
    """What one call said: exit code, stdout and stderr, scrubbed. The exit code alone proves nothing."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The line that says what went wrong: the last of stderr, else of stdout."""
        lines = [line.strip() for line in (self.err.strip() or self.out.strip()).splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code} and not a word"


class KaggleProcess:
    """Calls the client with the environment that it is to see; ``temporary`` keeps its unfinished uploads."""

    def __init__(
        self,
        environ: Mapping[str, str],
        scrub: Scrubber,
        temporary: Path | None = None,
        program: str = "kaggle",
    ) -> None:
        self._environ, self._scrub, self._temporary = environ, scrub, temporary
        spec = importlib.util.find_spec(program)
        if (
            spec is None or spec.origin is None
        ):  # a folder of that name, as this repository has one, is no package
            raise MissingDependencyError(
                f"The Kaggle client is not installed: python -m pip install {program}."
            )
        self._words = [sys.executable, "-P", "-m", program, "-W"]

    def call(self, *arguments: str, timeout_s: float = 300.0) -> CliReply:
        """Run it to its end.

        Raises:
            PassingError: it took longer than ``timeout_s``; what it did until then is not known.
        """
        with tempfile.TemporaryDirectory(prefix="kit-kaggle-") as folder:
            process = start(
                [*self._words, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=self._environment(folder),
                preexec_fn=_die_with_parent,
            )
            try:
                said, complained = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                raise PassingError(f"No answer from Kaggle in {timeout_s:.0f} s.", sure=False) from None
            finally:
                end(process)
        out = [line for line in self._read(said).splitlines(True) if not line.startswith(NOISE)]
        return CliReply(process.returncode, "".join(out), self._read(complained))

    def lines(self, *arguments: str, silent_s: float = SILENT_S) -> Iterator[str]:
        """Run it and yield the lines of its stdout as they come.

        It is ended when nobody wants any more, or when it was silent so long that its stream may be dead.
        """
        with (
            tempfile.TemporaryDirectory(prefix="kit-kaggle-") as folder,
            start(
                [*self._words, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what it says of itself is no line of the log
                cwd=folder,
                env=self._environment(folder) | {"PYTHONUNBUFFERED": "1"},
                preexec_fn=_die_with_parent,
            ) as process,
        ):
            assert process.stdout is not None
            try:
                for data in _lines(process.stdout.fileno(), silent_s):
                    line = self._read(data)
                    if not line.startswith(NOISE):
                        yield line
            finally:
                process.kill()

    def _environment(self, folder: str) -> dict[str, str]:
        if self._temporary is not None:
            self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)  # upload addresses lie in it
        return {**self._environ, "TMPDIR": str(self._temporary or folder), "PYTHONIOENCODING": "utf-8"}

    def _read(self, data: bytes) -> str:
        return self._scrub(data.decode("utf-8", "replace"))


def _lines(descriptor: int, silent_s: float) -> Iterator[bytes]:
    left = b""
    while select.select([descriptor], [], [], silent_s)[0]:
        data = os.read(descriptor, 1 << 16)
        if not data:
            break
        *whole, left = (left + data).split(b"\n")
        yield from whole
    if left:
        yield left


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment that the client sees: this process's, with a home folder.

    Raises:
        UsageError: there is no home folder, where its credentials would lie.
    """
    found = dict(os.environ if environ is None else environ)
    if not found.get("HOME"):
        try:
            found["HOME"] = str(Path.home())
        except RuntimeError as error:
            raise UsageError("There is no home folder, so no Kaggle credentials: set HOME.") from error
    return found
