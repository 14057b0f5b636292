"""There and back: what the real client pushes really runs, comes home, and goes on, bit for bit."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from kit.harness.manifest import verify_checkpoint
from kit.harness.run_folder import RunFolder
from kit.harness.verify import verify
from kit.notebooks.launch import Launch
from kit.remote.backoff import Backoff
from kit.remote.chain import Chain, ChainOrder
from kit.remote.client import KaggleClient
from kit.remote.command_orders import kernel_order, quick_launch
from kit.remote.push import Push, PushOrder, push_and_wait
from kit.remote.rehearse_notebook import NotebookRehearsal, rehearse_notebook
from tests.remote.kaggle_server import KaggleServer, rehearsed
from tests.remote.walking_notebook import walking_notebook

pytestmark = pytest.mark.slow
TOTAL = 400
LONGEST_S, TOLD_S = 28.0, 30.0
"""A session is told that it has 30 s, so it stops in time after 26.25 s; one that hangs is killed after 28 s."""
INTERVAL, HANGS_AT = 8, 100
"""Steps between two checkpoints, and the step before which the first session hangs: four after a checkpoint."""


def client_of(server: KaggleServer, home: Path) -> KaggleClient:
    """Return a client that waits a tenth of what it should."""
    return KaggleClient(server.environ(home), backoff=Backoff(pause=lambda s: server.closing.wait(s / 10)))


def last_state(run_dir: Path) -> list[tuple[str, str]]:
    """Return the names and sums of what the last checkpoint holds."""
    newest = sorted(RunFolder(run_dir).checkpoints.glob("step-*"))[-1]
    return sorted((one.name, one.sha256) for one in verify_checkpoint(newest).files)


def seeded(notebook: Path) -> Path:
    """Seed numpy's generator too: a checkpoint holds its state, and every start would have another."""
    line = json.dumps("random.seed(seed)\n")
    text = notebook.read_text()
    assert text.count(line) == 1
    more = json.dumps("__import__('numpy').random.seed(seed)\n")
    notebook.write_text(text.replace(line, f"{line}, {more}"))
    return notebook


def steps_done(server: KaggleServer, slug: str) -> list[list[int]]:
    """Return the steps that each session really did, in order, by a list that the notebook itself kept there."""
    folders = [version.session.working for version in server.kernel(slug).versions]
    return [
        [int(line) for line in (folder / "steps.txt").read_text().split()] for folder in folders if folder
    ]


def refuse_repetitions(done: list[list[int]], sessions: list[dict[str, Any]], interval: int) -> None:
    """Each session does steps in a row, from where the one before ended or, if that was killed, its last checkpoint."""
    assert len(done) == len(sessions)
    assert done == [list(range(one[0], one[-1] + 1)) for one in done]
    repeated = [before[-1] + 1 - after[0] for before, after in itertools.pairwise(done)]
    for again, one in zip(repeated, sessions, strict=False):
        most = interval if one["kernel_status"] == "CANCEL_ACKNOWLEDGED" else 0
        assert 0 <= again <= most, (again, one)
    assert sum(map(len, done)) - TOTAL == sum(repeated)
    assert [one["from_step"] for one in sessions] == [steps[0] for steps in done]


def test_three_sessions_end_like_one_that_nobody_touched(tmp_path: Path) -> None:
    """One hangs and is killed, one stops in time, one completes; weights and metrics are those of a single run.

    What the killed one did after its last checkpoint is done again, less than lies between two; nothing else is.
    """
    notebook = seeded(walking_notebook(tmp_path))
    values = {"total_timesteps": TOTAL, "pause_s": 0.1, "hang_at": HANGS_AT}
    values |= {"checkpoint_steps": INTERVAL, "note_steps": True}
    with KaggleServer(tmp_path / "kaggle", rehearsed(LONGEST_S)) as server:
        client = client_of(server, tmp_path / "account")
        kernel = kernel_order(Launch(notebook, values), limit=f"{TOLD_S}s", slug="walking-there")
        chain = Chain(client, ChainOrder(kernel, tmp_path / "there", every_s=1.0, max_sessions=6))
        found = chain.run()
        done = steps_done(server, "walking-there")
    assert found["status"] == "complete", found
    refuse_repetitions(done, found["sessions"], INTERVAL)
    assert done[0][-1] + 1 == HANGS_AT
    assert done[1][0] > HANGS_AT - INTERVAL
    assert done[1][0] < HANGS_AT  # so that this sees a repetition where there is one
    ends = [(one["kernel_status"], one["run_status"]) for one in found["sessions"]]
    assert ends[0][0] == "CANCEL_ACKNOWLEDGED"
    assert ("COMPLETE", "stopped") in ends
    assert ends[-1] == ("COMPLETE", "complete")
    assert found["sessions"][1]["carry"] == "dataset"
    assert found["sessions"][-1]["carry"] == "kernel"
    alone = rehearse_notebook(
        NotebookRehearsal(notebook, 300.0, {"total_timesteps": TOTAL}, str(tmp_path / "alone"))
    )
    assert alone["status"] == "complete"
    assert last_state(tmp_path / "there") == last_state(tmp_path / "alone")
    there, alone_rows = (tmp_path / name / "metrics.csv" for name in ("there", "alone"))
    assert there.read_bytes() == alone_rows.read_bytes()
    ledger = json.loads((tmp_path / "there" / "sessions.json").read_text())["sessions"]
    assert [one["first_step"] for one in ledger] == [steps[0] for steps in done]
    assert verify(tmp_path / "there").ok


def test_push_and_wait_of_the_traffic_signal(tmp_path: Path, repository: Path) -> None:
    """Its quick test here, the push, its run there, and the archive at home; the quick test's forecast goes along."""
    notebook = repository / "notebooks" / "traffic_signal.ipynb"
    values: dict[str, Any] = {"total_timesteps": 1_500, "test_days": 2, "scenario": "varying"}
    launch = Launch(notebook, values)
    told: list[str] = []
    with KaggleServer(tmp_path / "kaggle", rehearsed(600.0)) as server:
        client = client_of(server, tmp_path / "account")
        quick = quick_launch(launch, str(tmp_path / "quick"))
        order = PushOrder(kernel_order(launch, limit="10m"), tmp_path / "kernel", quick)
        push = Push(client, order, told.append)
        found = push_and_wait(push, client, tmp_path / "home", tell=told.append, fresh=False, every_s=2.0)
    assert (found["status"], found["kernel_status"]) == ("complete", "COMPLETE")
    assert found["size_bytes"] <= 1_000_000
    assert found["forecast"]["total_timesteps"] == 1_500
    assert any("costs no quota" in line for line in told)
    assert verify(tmp_path / "home").ok
    assert json.loads((tmp_path / "home" / "results.json").read_text())["evaluation"]
    log = (tmp_path / "home" / "logs" / "kaggle.log").read_text()
    assert "kit: step 1,500 of 1,500 (100%), ended" in log
