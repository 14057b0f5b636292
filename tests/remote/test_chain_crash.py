"""A chain is a process that is really killed, again and again, and still pays for three sessions."""

import json
import os
import random
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


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_instants_it_pays_for_three_sessions(loopback: Loopback, runs, tmp_path, seed):
    """Each life is a little longer than the one before, so that it ends; whatever it was at, nothing is lost."""
    killed = Plan(status="CANCEL_ACKNOWLEDGED", files=files_of(runs["killed"]))
    stopped, complete = (Plan(files=files_of(runs[name])) for name in ("stopped", "complete"))
    loopback.machine.plan(stopped, killed, complete)
    notebook = tmp_path / "walk.ipynb"
    notebook.write_text(json.dumps(NOTEBOOK))
    words = [
        sys.executable,
        "-c",
        IMPATIENT,
        "chain",
        str(notebook),
        "--slug",
        SLUG,
        "--skip-checks",
        "--json",
    ]
    words += ["--out", str(tmp_path / "run"), "--every", "0.2s"]
    environ = loopback.server.environ(loopback.home) | {"PYTHONPATH": str(ROOT)}
    chance, kills = random.Random(seed), 0
    while kills < 40:
        life_s = chance.uniform(0.5, 2.0 + 0.5 * kills)
        process = subprocess.Popen(words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
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
