"""The commands of the way to Kaggle and back: exit codes, one JSON object, and no secret."""

import json
import shutil
from pathlib import Path

import pytest

from kit.remote import waiting
from tests.remote.conftest import SLUG, Loopback
from tests.remote.kaggle_server import Plan
from tests.remote.made_runs import TOTAL, files_of
from tests.remote.test_chain import NOTEBOOK
from validation_cli import main


@pytest.fixture
def said(loopback: Loopback, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Call a command as the account of the server; return exit code, its JSON object, and all that was printed."""
    for name in list(__import__("os").environ):
        if name.upper().startswith(("KAGGLE_", "HTTP", "NO_PROXY", "ALL_PROXY")):
            monkeypatch.delenv(name)
    for name, value in loopback.server.environ(loopback.home).items():
        monkeypatch.setenv(name, value)

    def call(*words: str) -> tuple[int, dict, str]:
        code = main([*words, "--json"])
        printed = capsys.readouterr()
        for secret in loopback.server.account.secrets():
            assert secret not in printed.out + printed.err
        return code, json.loads(printed.out, parse_constant=refuse), printed.err

    return call


def refuse(literal: str) -> float:
    """NaN and infinities are Python's, and no JSON."""
    raise AssertionError(f"{literal} was printed")


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A notebook that can be pushed."""
    path = tmp_path / "walk.ipynb"
    path.write_text(json.dumps(NOTEBOOK))
    return path


def test_status_logs_and_pull_of_a_complete_run(loopback, runs, said, tmp_path):
    """All three end with 0, and the run is at home."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    target = f"{loopback.server.user}/{SLUG}"
    code, found, _ = said("status", target)
    assert (code, found["kernel_status"], found["run"]["step"]) == (0, "COMPLETE", TOTAL)
    code, found, shown = said("logs", target)
    assert (code, found["lines"]) == (0, 2)
    assert "first" in shown
    code, found, _ = said("pull", target, "--out", str(tmp_path / "run"))
    assert (code, found["status"], found["run_dir"]) == (0, "complete", str(tmp_path / "run"))
    assert (tmp_path / "run" / "artifacts.zip").exists()


def test_push_build_only_needs_no_kaggle(loopback, said, notebook, tmp_path):
    """With an owner named it asks nobody, and leaves what the client pushes."""
    words = ("push", str(notebook), "--build-only", "--owner", "tester", "--slug", SLUG)
    code, found, _ = said(*words, "--folder", str(tmp_path / "kernel"))
    assert code == 0
    assert found["size_bytes"] <= 1_000_000
    facts = json.loads((tmp_path / "kernel" / "kernel-metadata.json").read_text())
    assert facts["id"] == f"tester/{SLUG}"
    assert loopback.server.calls() == []
    assert loopback.client().push(tmp_path / "kernel").version == 1  # as it stands
    loopback.server.wait(SLUG)


@pytest.mark.slow
def test_push_and_wait_brings_the_run_home(loopback, runs, said, notebook, tmp_path):
    """One command there and back; a second push while one runs is refused with 4."""
    loopback.machine.plan(Plan(files=files_of(runs["stopped"])))
    words = ("push", str(notebook), "--slug", SLUG, "--skip-checks", "--out", str(tmp_path / "run"))
    code, found, errors = said(*words, "--wait", "--every", "0.2s", "--limit", "2h")
    assert (code, found["status"], found["session_limit_s"]) == (4, "stopped", 7200.0)
    assert "is pushed" in errors
    loopback.machine.plan(Plan(held=True))
    assert said(*words)[0] == 0
    code, found, _ = said(*words)
    assert (code, "second session" in found["error"]) == (4, True)
    loopback.machine.finish()


@pytest.mark.slow
def test_chain_from_the_command_line(loopback, runs, said, notebook, tmp_path, monkeypatch):
    """Two sessions, one run, exit code 0."""
    monkeypatch.setattr(waiting, "LATE_S", 0.5)  # of real time
    loopback.machine.plan(*(Plan(files=files_of(runs[name])) for name in ("stopped", "complete")))
    words = ("chain", str(notebook), "--slug", SLUG, "--skip-checks", "--out", str(tmp_path / "run"))
    code, found, _ = said(*words, "--every", "0.2s")
    assert (code, found["status"], len(found["sessions"])) == (0, "complete", 2)


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("status", "trafic_signal"), 2, "traffic_signal"),
        (("status", "nobody/no-such-kernel"), 1, None),
        (("pull", "a/b/c/d"), 2, None),
    ],
)
def test_a_kernel_that_is_none_is_refused(said, words, code, named):
    """A misspelt notebook names the nearest."""
    got, found, _ = said(*words)
    assert (got, found["nearest"]) == (code, named)


def test_trust_goes_along(said, notebook, tmp_path):
    """The session over there opens pickled state only where its user says so."""
    words = ("push", str(notebook), "--build-only", "--owner", "tester", "--slug", SLUG)
    for more, trusted in ((("--trust",), True), ((), False)):
        assert said(*words, *more, "--folder", str(tmp_path / "kernel"))[0] == 0
        first = json.loads((tmp_path / "kernel" / "walk.ipynb").read_text())["cells"][0]["source"]
        assert ('"trust": true' in "".join(first)) is trusted


def test_a_folder_that_is_occupied_is_refused_before_a_push(loopback, runs, said, notebook, tmp_path):
    """Not hours later, when the run is to come home."""
    shutil.copytree(runs["stopped"], tmp_path / "run")
    words = ("push", str(notebook), "--slug", SLUG, "--skip-checks", "--wait", "--out", str(tmp_path / "run"))
    code, found, _ = said(*words)
    assert (code, "--fresh" in found["error"]) == (2, True)
    assert loopback.machine.ran == []
