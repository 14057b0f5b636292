"""Rehearsals of a run that is there already: what a session that brings nothing back changes, and what it does not."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest

from kit import TrainingSession
from kit.errors import NotebookError, RunLockedError
from kit.harness.cadence import Cadence
from kit.harness.lock import FileLock
from kit.harness.summary import read_summary
from kit.harness.verify import verify
from kit.remote.rehearse_notebook import LOG, Build, NotebookRehearsal, exit_code, rehearse_notebook
from tests.crash.walk import Walk
from tests.remote.tiny_kernel import tiny_kernel

ROOT = Path(__file__).resolve().parents[2]
ANOTHER_SESSION = """
import json, shutil
from pathlib import Path
[there] = Path("../input").glob("*/runs/walk")
shutil.copytree(there, "runs/walk", ignore=shutil.ignore_patterns(".kit"))
ledger = Path("runs/walk/sessions.json")
entries = json.loads(ledger.read_text())["sessions"]
ledger.write_text(json.dumps({"sessions": [*entries, {**entries[-1], "session": 2}]}))
"""


REDIRECTED = """
import sys
from pathlib import Path
from kit.remote.linux import NEW_USERS, own_namespaces
from kit.remote.rehearse_notebook import NotebookRehearsal, rehearse_notebook
from tests.remote.tiny_kernel import tiny_kernel
own_namespaces(NEW_USERS)
Path("/proc/sys/user/max_mnt_namespaces").write_text("0")
cell = "open('up', 'w').close()\\nimport time\\ntime.sleep(600)"
order = NotebookRehearsal(Path("walk.ipynb"), 60, {}, sys.argv[1])
rehearse_notebook(order, lambda _, folder: tiny_kernel(folder, cell))
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A run whose first session stopped after step 10 of 40."""
    out = tmp_path_factory.mktemp("there") / "run"
    session = TrainingSession.open(
        "walk", total_timesteps=40, config={"seed": 1}, out=out, cadence=Cadence(checkpoint_every_steps=10)
    )
    np.random.seed(0)
    walk = Walk(session.seed)
    session.register(walk=walk)
    for step in session.steps():
        if step == 10:
            session.pace.wish = "a test"
        session.record(distance=walk.advance())
    session.close()
    return out


@pytest.fixture
def order(tmp_path, stopped) -> NotebookRehearsal:
    """The next session of that run."""
    shutil.copytree(stopped, tmp_path / "run", ignore=shutil.ignore_patterns(".kit"))
    return NotebookRehearsal(tmp_path / "walk.ipynb", 60, {}, str(tmp_path / "run"))


def kernel(*cells: str) -> Build:
    """Return what builds a kernel of these cells."""
    return lambda _, folder: tiny_kernel(folder, *cells)


def test_a_session_that_fails_before_it_trains_is_a_failure_though_a_run_is_there(order):
    """Exit 1 and not that of the run as it was; the run stays as it was, and the log of what happened comes home."""
    before = read_summary(order.folder.summary)
    metrics = order.folder.metrics.read_bytes()
    with pytest.raises(
        NotebookError, match=r"(?s)ended ERROR with exit code 1 .*no training here.*is as it was"
    ) as raised:
        rehearse_notebook(order, kernel("raise RuntimeError('no training here')"))
    assert raised.value.exit_code == 1
    assert read_summary(order.folder.summary) == before
    assert order.folder.metrics.read_bytes() == metrics
    said = "".join(record["data"] for record in json.loads((order.folder.root / LOG).read_text()))
    assert "no training here" in said
    with zipfile.ZipFile(order.folder.archive) as archive:
        assert archive.read(LOG) == (order.folder.root / LOG).read_bytes()
    assert verify(order.folder.root).ok
    assert [path.name for path in order.folder.root.parent.iterdir()] == ["run"]


@pytest.mark.slow
def test_a_notebook_that_trains_nothing_does_not_go_on_for_ever(order):
    """It came to its end, and yet another session would not bring the run further either."""
    with pytest.raises(NotebookError, match="ended COMPLETE with exit code 0"):
        rehearse_notebook(order, kernel("print('nothing to do')"))


@pytest.mark.slow
def test_a_copy_of_what_was_attached_is_no_session(order):
    """A run that was taken over, and then failed before its session began, is not what the session did."""
    copied, _, _ = ANOTHER_SESSION.partition("ledger")
    with pytest.raises(NotebookError, match="ended ERROR"):
        rehearse_notebook(order, kernel(copied, "raise RuntimeError('after the copy')"))


@pytest.mark.slow
def test_a_machine_taken_away_before_training_leaves_the_run_to_be_continued(tmp_path, order):
    """Killed at the limit with nothing to bring home: exit 4, the summary that was there, the log of the kill."""
    early = NotebookRehearsal(order.notebook, 4, {}, str(order.folder.root))
    before = read_summary(order.folder.summary)
    summary = rehearse_notebook(early, kernel("print('up', flush=True)\nimport time\ntime.sleep(600)"))
    assert exit_code(summary) == 4
    assert summary["rehearsal"]["status"] == "CANCEL_ACKNOWLEDGED"
    assert {name: summary[name] for name in before} == before
    assert "up" in Path(summary["rehearsal"]["log"]).read_text()


def test_a_run_that_a_session_has_open_is_refused_before_anything_is_built(order):
    """What comes back would take its place under it."""

    def build(order: NotebookRehearsal, folder: Path) -> Path:
        raise AssertionError("nothing is to be built")

    with (
        FileLock(order.folder.lock).acquire(),
        pytest.raises(RunLockedError, match="is open in this process"),
    ):
        rehearse_notebook(order, build)


def test_a_run_that_was_moved_aside_to_be_replaced_is_put_back(order):
    """Killed between two renames, a rehearsal leaves the run beside its place: the next one goes on from it."""
    order.folder.root.rename(order.folder.root.with_name(f".run.{2**22 + 1}.0a1b2c3d.old"))

    def build(order: NotebookRehearsal, folder: Path) -> Path:
        assert order.folder.holds_a_run()
        raise NotebookError("seen")

    with pytest.raises(NotebookError, match="seen"):
        rehearse_notebook(order, build)


@pytest.mark.slow
def test_nobody_opens_the_run_while_it_is_rehearsed_and_taken_home(order):
    """The lock is held from before the build, and is the same file when the folder has changed places."""
    locks = []

    def build(order: NotebookRehearsal, folder: Path) -> Path:
        with pytest.raises(RunLockedError):
            FileLock(order.folder.lock).acquire()
        locks.extend(path.stat().st_ino for path in (order.folder.lock, order.folder.launching))
        return tiny_kernel(folder, ANOTHER_SESSION)

    (order.folder.root / "notes.txt").write_text("mine")
    summary = rehearse_notebook(order, build)
    assert (summary["step"], exit_code(summary)) == (11, 4)
    assert len(json.loads(order.folder.sessions.read_text())["sessions"]) == 2
    assert [path.stat().st_ino for path in (order.folder.lock, order.folder.launching)] == locks
    assert (order.folder.root / "notes.txt").read_text() == "mine"
    FileLock(order.folder.lock).acquire().release()


@pytest.mark.slow
def test_what_a_killed_rehearsal_left_goes_with_the_next(tmp_path, order):
    """Killed with what plays its machine it leaves processes, and inputs that nobody may write: neither stays."""
    out = order.folder.root
    killed = subprocess.Popen([sys.executable, "-c", REDIRECTED, str(out)], cwd=ROOT, stderr=subprocess.PIPE)
    while not list(tmp_path.glob(".run.rehearsal-*/out/.machine/kaggle/working/up")):
        if killed.poll() is not None:
            assert killed.stderr is not None
            pytest.skip(f"no namespaces are allowed here: {killed.stderr.read()!r}")
        threading.Event().wait(0.05)
    [left] = tmp_path.glob(".run.rehearsal-*")
    family = psutil.Process(killed.pid).children(recursive=True)
    [machine] = [one for one in family if "kit.remote.machine" in one.cmdline()]
    machine.send_signal(signal.SIGSTOP)  # it is not to see its parent die
    killed.kill()
    killed.communicate()
    machine.kill()
    [read_only] = (left / "out/.machine/kaggle/input").glob("*/runs/walk/run.json")
    assert read_only.stat().st_mode & 0o222 == 0

    with pytest.raises(NotebookError, match="ended COMPLETE"):
        rehearse_notebook(order, kernel("print('the next')"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    _gone, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
