"""A chain is a process that is really killed, again and again, and still pays for three sessions."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kit.harness.verify import verify
from tests.remote.conftest import SLUG, Loopback
from tests.remote.kaggle_server import Plan
from tests.remote.made_runs import TOTAL, files_of
from tests.remote.test_chain import NOTEBOOK

ROOT = Path(__file__).resolve().parent.parent.parent
IMPATIENT = """
import sys
from kit.remote import delivery, waiting
from validation_cli import main
delivery.SETTLE_S, waiting.LATE_S = 0.2, 1.0
sys.exit(main(sys.argv[1:]))
"""
"""The command line, with waits that fit a short life: a push is here at once or never."""


KILLED_BY_THE_SECOND_ANSWER = """
import os, signal
from kit.remote import chain
real, answers = chain.deliver, []
def deliver(*given):
    try:
        return real(*given)
    finally:
        answers.append(1)
        if len(answers) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
chain.deliver = deliver
"""
"""Before that: a chain that is gone once Kaggle has answered its second push, and nothing of the answer is kept."""


def chain_of(loopback: Loopback, tmp_path: Path, script: str = IMPATIENT) -> subprocess.Popen[str]:
    """Start a chain as a process of its own."""
    notebook = tmp_path / "walk.ipynb"
    notebook.write_text(json.dumps(NOTEBOOK))
    words = ["chain", str(notebook), "--slug", SLUG, "--skip-checks", "--json"]
    words += ["--out", str(tmp_path / "run"), "--every", "0.2s"]
    environ = loopback.server.environ(loopback.home) | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", script, *words], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_instants_it_pays_for_three_sessions(loopback: Loopback, runs, tmp_path, seed):
    """Each life is a little longer than the one before, so that it ends; whatever it was at, nothing is lost."""
    killed = Plan(status="CANCEL_ACKNOWLEDGED", files=files_of(runs["killed"]))
    stopped, complete = (Plan(files=files_of(runs[name])) for name in ("stopped", "complete"))
    loopback.machine.plan(stopped, killed, complete)
    chance, kills = random.Random(seed), 0
    while kills < 40:
        life_s = chance.uniform(0.5, 2.0 + 0.5 * kills)
        process = chain_of(loopback, tmp_path)
        try:
            out, _ = process.communicate(timeout=life_s)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
    found = json.loads(out)
    assert found["status"] == "complete", found
    assert found["step"] == TOTAL
    assert len(loopback.machine.ran) == 3, [one.metadata for one in loopback.machine.ran]
    assert kills > 0
    assert verify(tmp_path / "run").ok
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]  # noqa: PTH208


@pytest.mark.slow
@pytest.mark.parametrize("dropped", [True, False])
def test_killed_before_it_keeps_what_kaggle_said_of_the_sources_it_is_right(
    loopback: Loopback, runs, tmp_path, monkeypatch, dropped
):
    """Whether they were dropped the state on disk leaves open, from before the push; the chain needs no --retry."""
    stopped, complete = (Plan(files=files_of(runs[name])) for name in ("stopped", "complete"))
    middle = Plan(status="ERROR", failure_message="no run to continue") if dropped else complete
    loopback.machine.plan(stopped, middle, complete)
    if dropped:
        monkeypatch.setattr(loopback.server.kernels, "mountable", lambda *_: None)
    with chain_of(loopback, tmp_path, KILLED_BY_THE_SECOND_ANSWER + IMPATIENT) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    state = json.loads((tmp_path / "run.chain" / "chain.json").read_text())
    assert [(one["stage"], one["without_sources"]) for one in state["sessions"]] == [
        ("taken", False),
        ("intended", None),
    ]
    loopback.server.wait(SLUG)
    with chain_of(loopback, tmp_path) as process:
        found = json.loads(process.communicate()[0])
    assert (process.returncode, found["status"]) == (0, "complete"), found
    carried = ["none", "kernel", "dataset"] if dropped else ["none", "kernel"]
    assert [one["carry"] for one in found["sessions"]] == carried
    assert found["sessions"][1]["without_sources"] is (None if dropped else False)
    assert len(loopback.machine.ran) == len(carried)
