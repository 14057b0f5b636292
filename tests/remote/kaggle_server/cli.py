"""The real CLI, unmodified, as a process of its own that only knows the loopback server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.remote.kaggle_server.accounts import Credentials
from tests.remote.kaggle_server.server import KaggleServer

PROGRAM = Path(sys.executable).parent / "kaggle"
_LONGEST_S = 300.0


class Cli:
    """Runs ``kaggle`` with a home of its own."""

    def __init__(self, server: KaggleServer, home: Path, credentials: Credentials = "token") -> None:
        self.environ = server.environ(home, credentials)
        self._folder = home

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [PROGRAM, *arguments]
        return subprocess.run(
            command,
            env=self.environ,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command whose output is read while it runs."""
        command = [PROGRAM, *arguments]
        return subprocess.Popen(
            command,
            env=self.environ,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
