"""The loopback Kaggle with the rehearsal behind it: what the real CLI pushes really runs, and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.remote.kaggle_server import Cli, KaggleServer, rehearsed, status
from tests.remote.tiny_kernel import tiny_kernel

pytestmark = pytest.mark.slow
COUNT_ON = """
from pathlib import Path
found = sorted(Path.cwd().parent.glob("input/*/count.txt"))
count = 1 + sum(int(path.read_text()) for path in found)
Path("count.txt").write_text(str(count))
print(f"count {count}", flush=True)
"""
HANG = "import time\ntime.sleep(600)"


def test_sessions_take_over_from_each_other(tmp_path: Path):
    """The second session finds the output of the first as its input; one that hangs is killed, and is no source."""
    with KaggleServer(tmp_path / "kaggle", rehearsed(120.0)) as server:
        kaggle = Cli(server, tmp_path / "home")
        named = {"id": "tester/tiny-one", "title": "Tiny one", "kernel_sources": ["tester/tiny-one"]}
        seen = []
        for number, (cells, limit) in enumerate(
            [((COUNT_ON,), "100"), ((COUNT_ON, HANG), "15"), ((COUNT_ON,), "100")]
        ):
            folder = tiny_kernel(tmp_path / f"kernel-{number}", *cells, **named)
            told = kaggle("kernels", "push", "-p", folder, "-t", limit)
            assert f"Kernel version {number + 1} successfully pushed" in told.stdout, told
            assert ("not valid kernel sources" in told.stdout) is (number == 0)
            server.wait("tiny-one", timeout_s=240.0)
            got = tmp_path / f"got-{number}"
            assert kaggle("kernels", "output", "tester/tiny-one", "-p", got).returncode == 0
            seen.append((status(server, "tiny-one"), (got / "count.txt").read_text()))
            assert f"count {seen[-1][1]}" in (got / "tiny-one.log").read_text()
        assert seen == [("COMPLETE", "1"), ("CANCEL_ACKNOWLEDGED", "2"), ("COMPLETE", "2")]


def test_the_log_of_a_rehearsal_is_followed_while_it_runs(tmp_path: Path):
    """`logs --follow` prints a line of a session that then hangs, before it is killed at its limit."""
    with KaggleServer(tmp_path / "kaggle", rehearsed(20.0)) as server:
        kaggle = Cli(server, tmp_path / "home")
        folder = tiny_kernel(tmp_path / "kernel", COUNT_ON, HANG, id="tester/tiny-one", title="Tiny one")
        kaggle("kernels", "push", "-p", folder)
        following = kaggle.start("kernels", "logs", "tester/tiny-one", "--follow")
        assert following.stdout is not None
        with following:
            said = iter(following.stdout.readline, "")
            assert any("count 1" in line for line in said)
            assert server.kernel("tiny-one").going()
            server.wait("tiny-one", timeout_s=120.0)
        assert following.returncode == 0
        assert (
            "exceeded the max allowed execution duration"
            in kaggle("kernels", "status", "tester/tiny-one").stdout
        )
