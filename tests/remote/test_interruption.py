"""Ctrl-C ends a command here, and nothing at Kaggle: the real command line, and a real SIGINT to all its processes."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.remote.conftest import SLUG, Loopback, names_in
from tests.remote.kaggle_server import Plan
from tests.remote.made_runs import TOTAL, files_of
from tests.remote.test_chain import NOTEBOOK
from tests.remote.test_chain_crash import IMPATIENT

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = (str(ROOT / "validation_cli.py"),)


class Command:
    """A command in a process group of its own, as in a terminal; what it says goes to files."""

    def __init__(self, loopback: Loopback, folder: Path, words: list[str], script: tuple[str, ...] = SCRIPT):
        self._loopback, self._files = loopback, (folder / "out.txt", folder / "err.txt")
        environ = loopback.server.environ(loopback.home) | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with self._files[0].open("w") as out, self._files[1].open("w") as err:
            self._process = subprocess.Popen(
                [sys.executable, *script, *words],
                cwd=folder,
                env=environ,
                stdout=out,
                stderr=err,
                start_new_session=True,
                # Whoever runs the tests in the background ignores it, and so would this.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def out(self) -> str:
        """Stdout so far."""
        return self._files[0].read_text()

    @property
    def err(self) -> str:
        """Stderr so far."""
        return self._files[1].read_text()

    def says(self, words: str) -> "Command":
        """Wait until it has said that, on either."""
        self._loopback.server.until(lambda: words in self.out + self.err)
        return self

    def interrupted(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        assert self._process.poll() is None, self.err
        os.killpg(self._process.pid, signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end, and return the exit code."""
        code = self._process.wait(60)
        assert "Traceback" not in self.out + self.err, self.err
        return code


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """The notebook that is pushed."""
    path = tmp_path / "walk.ipynb"
    path.write_text(json.dumps(NOTEBOOK))
    return path


def named(command: str, text: str) -> list[str]:
    """Return the words of a command that a message names."""
    found = re.search(rf"`python validation_cli\.py ({command} [^`]+)`", text)
    assert found, text
    return shlex.split(found[1])


def is_running(loopback: Loopback) -> bool:
    """Whether the kernel runs at Kaggle."""
    version = loopback.server.kernel(SLUG).version()
    return version is not None and version.status == "RUNNING"


def test_push_and_wait(loopback, runs, notebook, tmp_path):
    """The kernel goes on; the command that the message names brings its run home."""
    loopback.machine.plan(Plan(files=files_of(runs["complete"]), held=True))
    words = ["push", str(notebook), "--slug", SLUG, "--skip-checks", "--wait", "--every", "0.2s"]
    command = Command(loopback, tmp_path, [*words, "--out", str(tmp_path / "home" / "run")])
    assert command.says(": RUNNING").interrupted() == 4
    assert "goes on at Kaggle, and nothing of it is lost" in command.err
    assert is_running(loopback)
    assert named("logs", command.err) == ["logs", f"{loopback.server.user}/{SLUG}", "--follow"]
    loopback.machine.finish()
    loopback.server.wait(SLUG)
    assert Command(loopback, tmp_path, named("pull", command.err)).ended() == 0
    assert json.loads((tmp_path / "home" / "run" / "summary.json").read_text())["step"] == TOTAL


def test_a_push_before_its_answer(loopback, notebook, tmp_path):
    """Nobody knows whether it was taken: the message says what will tell."""
    loopback.server.misbehave.hang(times=1, call="SaveKernel")
    command = Command(loopback, tmp_path, ["push", str(notebook), "--slug", SLUG, "--skip-checks"])
    loopback.server.until(lambda: bool(loopback.server.calls("SaveKernel")))
    assert command.interrupted() == 4
    assert "whether Kaggle took it is not known" in command.err
    assert named("status", command.err) == ["status", f"{loopback.server.user}/{SLUG}"]


def test_logs_that_are_followed(loopback, runs, tmp_path):
    """The kernel goes on, and its log is there again from the first line."""
    loopback.machine.plan(Plan(held=True))
    request = {"slug": f"{loopback.server.user}/{SLUG}", "newTitle": SLUG, "text": "{}"}
    loopback.server.kernels.save(loopback.server.user, {**request, "kernelType": "notebook"})
    command = Command(loopback, tmp_path, ["logs", f"{loopback.server.user}/{SLUG}", "--follow"])
    assert command.says("second").interrupted() == 4
    assert is_running(loopback)
    again = Command(loopback, tmp_path, named("logs", command.err)).says("first")
    loopback.machine.finish()
    assert again.ended() == 0


def test_a_pull(loopback, runs, tmp_path):
    """Nothing half is here; with --json there is one object that says the same; the command it names brings all."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    loopback.server.misbehave.hang(times=1, call="DownloadOutput")
    out = tmp_path / "home" / "run"
    words = ["pull", f"{loopback.server.user}/{SLUG}", "--out", str(out), "--json"]
    command = Command(loopback, tmp_path, words)
    loopback.server.until(lambda: bool(loopback.server.calls("DownloadOutput")))
    assert command.interrupted() == 4
    assert names_in(out.parent) == []
    error = json.loads(command.out)["error"]
    assert "stays at Kaggle" in error
    assert Command(loopback, tmp_path, named("pull", error)).ended() == 0
    assert (out / "artifacts.zip").exists()


def test_a_chain_whose_session_runs(loopback, runs, notebook, tmp_path):
    """The session goes on; the same command takes it up, and no other is paid for."""
    loopback.machine.plan(Plan(files=files_of(runs["complete"]), held=True))
    words = ["chain", str(notebook), "--slug", SLUG, "--skip-checks", "--every", "0.2s"]
    words += ["--out", str(tmp_path / "home" / "run")]
    command = Command(loopback, tmp_path, words)
    assert command.says(": RUNNING").interrupted() == 4
    assert "Session 1 goes on at Kaggle" in command.err
    assert "The same command goes on from here" in command.err
    assert is_running(loopback)
    loopback.machine.finish()
    again = Command(loopback, tmp_path, [*words, "--json"])
    assert again.ended() == 0
    found = json.loads(again.out)
    assert (found["status"], len(found["sessions"]), len(loopback.machine.ran)) == ("complete", 1, 1)


def test_a_chain_while_it_pushes(loopback, runs, notebook, tmp_path):
    """With --fresh the message says to leave that out; the push that never arrived is made by the next call, once."""
    loopback.machine.plan(Plan(files=files_of(runs["complete"])))
    loopback.server.misbehave.hang(times=1, call="SaveKernel")
    words = ["chain", str(notebook), "--slug", SLUG, "--skip-checks", "--every", "0.2s"]
    words += ["--out", str(tmp_path / "home" / "run")]
    command = Command(loopback, tmp_path, [*words, "--fresh"])
    loopback.server.until(lambda: bool(loopback.server.calls("SaveKernel")))
    assert command.interrupted() == 4
    assert "Session 1 was being pushed" in command.err
    assert "The same command, without --fresh," in command.err
    assert Command(loopback, tmp_path, words, ("-c", IMPATIENT)).ended() == 0
    assert len(loopback.machine.ran) == 1
