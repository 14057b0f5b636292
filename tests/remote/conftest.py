"""What the tests of the way to Kaggle and back share: a Kaggle on loopback, a client that reaches it, runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kit.remote.backoff import Backoff
from kit.remote.client import KaggleClient
from tests.remote.kaggle_server import KaggleServer, Machine, Plan
from tests.remote.kaggle_server.accounts import Credentials
from tests.remote.made_runs import make_runs

SLUG = "the-walk"
CODE = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@dataclass
class Loopback:
    """A server, what runs there, and a client whose waits take no time but are noted."""

    server: KaggleServer
    machine: Machine
    home: Path
    waited: list[float] = field(default_factory=list)

    def client(self, credentials: Credentials = "token") -> KaggleClient:
        """Return a client with these credentials."""
        backoff = Backoff(pause=self.pause, chance=lambda: 0.0)
        return KaggleClient(self.server.environ(self.home, credentials), backoff=backoff)

    def pause(self, seconds: float) -> None:
        """Wait hardly at all, but let the server's threads go on."""
        self.waited.append(seconds)
        self.server.closing.wait(0.02)

    def ran(self, plan: Plan, slug: str = SLUG) -> None:
        """Let a session of a kernel end as planned, without the command line: a push that took no time."""
        self.machine.plan(plan)
        request = {
            "slug": f"{self.server.user}/{slug}",
            "newTitle": slug,
            "text": CODE,
            "kernelType": "notebook",
        }
        self.server.kernels.save(self.server.user, {**request, "language": "python"})
        self.server.wait(slug)


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Loopback]:
    """A Kaggle of one's own."""
    machine = Machine()
    with KaggleServer(tmp_path / "kaggle", machine) as server:
        yield Loopback(server, machine, tmp_path / "account")
    assert not server.journal.strays


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run, stopped, killed and complete; not to be changed."""
    return make_runs(tmp_path_factory.mktemp("runs"))


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, hidden ones and temporaries too."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def noted() -> tuple[list[str], Callable[[str], object]]:
    """A list, and a function that adds a line to it."""
    lines: list[str] = []
    return lines, lines.append
