"""The loopback Kaggle: logs, live and afterwards, with the real CLI at the other end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.kaggle_server import Cli, KaggleServer, Machine, Plan, push

LINES = ("[1/3] \n", "half a ", "line\n", "é, 漢\n")


@pytest.fixture
def machine() -> Machine:
    """A machine that writes those records and then waits to be let go."""
    return Machine(Plan(lines=LINES, held=True))


@pytest.fixture
def server(tmp_path: Path, machine: Machine) -> Iterator[KaggleServer]:
    """A server with one kernel that runs."""
    with KaggleServer(tmp_path / "kaggle", machine) as server:
        push(server)
        yield server


def test_a_running_kernel_is_followed_to_its_end(server: KaggleServer, machine: Machine, tmp_path: Path):
    """`logs --follow` prints records while the session runs, and returns when it has ended."""
    following = Cli(server, tmp_path / "home").start("kernels", "logs", "tester/a-notebook", "--follow")
    assert following.stdout is not None
    with following:
        seen = [following.stdout.readline() for _ in range(5)]
        assert server.kernel("a-notebook").going(), "it was printed before the end"
        machine.finish()
        seen += following.stdout.readlines()
    assert following.returncode == 0
    # The CLI ends each record's line itself, so it breaks lines where records break.
    assert [line for line in seen if not line.startswith("Warning")] == [
        "[1/3] \n",
        "half a \n",
        "line\n",
        "é, 漢\n",
    ]


def test_a_finished_log_is_json(server: KaggleServer, machine: Machine, tmp_path: Path):
    """`logs` prints the array that was persisted; `--follow` prints its records."""
    machine.finish()
    server.wait("a-notebook")
    kaggle = Cli(server, tmp_path / "home")
    persisted = kaggle("kernels", "logs", "tester/a-notebook").stdout
    records = json.loads(persisted[persisted.index("[{") :])
    assert [record["data"] for record in records] == list(LINES)
    assert {record["stream_name"] for record in records} == {"stdout"}
    assert "é, 漢\n" in kaggle("kernels", "logs", "tester/a-notebook", "-f").stdout


def test_a_cut_stream_is_taken_up_again(server: KaggleServer, machine: Machine, tmp_path: Path):
    """After a broken connection the stream starts anew, as the CLI expects: no record twice, none lost."""
    server.misbehave.cut_log(after=2)
    following = Cli(server, tmp_path / "home").start("kernels", "logs", "tester/a-notebook", "-f")
    assert following.stdout is not None
    with following:
        seen = [following.stdout.readline() for _ in range(5)]
        machine.finish()
        seen += following.stdout.readlines()
    assert following.returncode == 0
    assert len(server.calls("StreamLog")) == 2
    assert [line for line in seen if not line.startswith("Warning")] == [
        "[1/3] \n",
        "half a \n",
        "line\n",
        "é, 漢\n",
    ]
