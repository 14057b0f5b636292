"""``rehearse NOTEBOOK``: sessions that are stopped, killed and continued, and the run that comes of them."""

import json
import zipfile
from pathlib import Path

import pytest

import validation_cli
from kit.errors import NotebookError, UsageError
from kit.harness.manifest import verify_checkpoint
from kit.harness.run_folder import RunFolder
from kit.harness.summary import read_json
from kit.harness.verify import verify
from kit.notebooks.package import package_run
from kit.remote.rehearse import TOO_LONG
from kit.remote.rehearse_notebook import NotebookRehearsal, exit_code, pushed_kernel, rehearse_notebook
from kit.report.rehearsal import rehearsal_text
from tests.remote.tiny_kernel import tiny_kernel
from tests.remote.walking_notebook import walking_notebook


@pytest.fixture
def notebook(tmp_path) -> Path:
    """A random walk that needs nothing but the kit."""
    return walking_notebook(tmp_path)


def test_a_session_that_completes_comes_home_as_a_run(tmp_path, notebook, capsys):
    """Exit 0: the summary, an archive that verifies with log and executed notebook in it, and nothing left beside."""
    out = tmp_path / "run"
    words = ["rehearse", str(notebook), "--limit", "60", "--set", "total_timesteps=50", "--out", str(out)]
    assert validation_cli.main([*words, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["status"], summary["step"], summary["run_dir"]) == ("complete", 50, str(out))
    rehearsal = summary["rehearsal"]
    assert (rehearsal["status"], rehearsal["exit_code"], rehearsal["limit_s"]) == ("COMPLETE", 0, 60)
    assert json.loads(Path(rehearsal["log"]).read_text())
    with zipfile.ZipFile(out / "artifacts.zip") as archive:
        assert {"executed.ipynb", "logs/kaggle.log"} <= set(archive.namelist())
    assert verify(out).ok
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "walking.ipynb"]
    limits = read_json(out / "run.json")["limits"]
    assert limits == {"soft_s": 52.5, "hard_s": pytest.approx(60 * 71 / 72), "session_s": 60}

    assert validation_cli.main(words) == 0, "a complete run is not rehearsed again"
    assert capsys.readouterr().out.startswith("There was nothing left to rehearse.\nCOMPLETE")
    words[words.index("total_timesteps=50")] = "total_timesteps=60"
    assert validation_cli.main(words) == 2
    assert "total_timesteps: 50 there, 60 asked for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--limit", "soon"], "Not a duration: 'soon'"),
        (["--limit", "0"], "longer than zero"),
        (["--memory-limit", "much"], "--memory-limit is not a size: 'much'"),
        (["--set", "total_timestep=5"], "Did you mean 'total_timesteps'?"),
        (["--set", "pause_s=long"], "Parameter 'pause_s' got 'long'"),
    ],
)
def test_bad_usage_is_said_before_anything_is_built(tmp_path, notebook, capsys, given, message):
    """Exit 2, the value and what would be legal; nothing is written."""
    assert validation_cli.main(["rehearse", str(notebook), "--out", str(tmp_path / "run"), *given]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["walking.ipynb"]


def test_a_notebook_whose_name_is_no_slug_is_given_one(tmp_path, notebook, capsys):
    """As with a push: a name too short for Kaggle is refused with the rule, and --slug takes its place."""
    short = notebook.rename(tmp_path / "demo.ipynb")
    words = ["rehearse", str(short), "--out", str(tmp_path / "run")]
    assert validation_cli.main(words) == 2
    assert "Not a slug for Kaggle: 'demo'" in capsys.readouterr().err
    assert validation_cli.main([*words, "--slug", "Demo run"]) == 2
    assert "Not a slug for Kaggle: 'Demo run'. Did you mean 'demo-run'?" in capsys.readouterr().err


@pytest.mark.slow
def test_the_slug_that_is_given_is_the_kernels(tmp_path, notebook):
    """Of a notebook whose name would be none, too."""
    short = notebook.rename(tmp_path / "demo.ipynb")
    built = pushed_kernel(NotebookRehearsal(short, 60, slug="demo-run"), tmp_path / "kernel")
    assert json.loads((built / "kernel-metadata.json").read_text())["id"] == "rehearsal/demo-run"


def test_what_the_machine_said_stands_before_the_summary():
    """Kaggle's status, its message, and that the folder was a redirected one."""
    summary = {"status": "failed", "reason": "killed", "step": 5, "total_timesteps": 9, "sessions": 1}
    rehearsal = {
        "status": "CANCEL_ACKNOWLEDGED",
        "exit_code": 137,
        "failure_message": TOO_LONG,
        "limit_s": 60,
    }
    rehearsal |= {"elapsed_s": 60.02, "isolation": "redirected", "log": "runs/x/logs/kaggle.log"}
    text = rehearsal_text(summary | {"elapsed_s": 58.0, "run_dir": "runs/x", "rehearsal": rehearsal})
    assert text.splitlines()[:5] == [
        "Kaggle would say CANCEL_ACKNOWLEDGED, exit code 137: 1m of 1m",
        f'  "{TOO_LONG}"',
        "  in a redirected folder, not /kaggle: this machine allows no namespaces",
        "  log runs/x/logs/kaggle.log",
        "FAILED: killed   step 5 of 9, 1 session, 58s",
    ]


@pytest.mark.slow
def test_a_session_that_stopped_in_time_is_continued(tmp_path, notebook):
    """Exit 4, then 0: the metrics and the state of two sessions are those of one."""
    values = {"total_timesteps": 700, "pause_s": 0.05}
    whole = rehearse_notebook(NotebookRehearsal(notebook, 120, values, str(tmp_path / "whole")))
    assert exit_code(whole) == 0

    out = tmp_path / "split"
    stopped = rehearse_notebook(NotebookRehearsal(notebook, 30, values, str(out)))
    assert (stopped["status"], exit_code(stopped)) == ("stopped", 4)
    assert stopped["rehearsal"]["status"] == "COMPLETE"
    assert 0 < stopped["step"] < 700
    completed = rehearse_notebook(NotebookRehearsal(notebook, 120, values, str(out)))
    assert (completed["status"], completed["sessions"], exit_code(completed)) == ("complete", 2, 0)
    _assert_the_same(tmp_path / "whole", out)


@pytest.mark.slow
def test_a_machine_that_is_taken_away_early_costs_one_checkpoint(tmp_path, notebook):
    """Told 12 hours and killed after seconds: what survived is packaged, exit 4, and the next session goes on."""
    values = {"total_timesteps": 100, "hang_at": 60, "pause_s": 0.02}
    whole = rehearse_notebook(
        NotebookRehearsal(notebook, 120, values | {"hang_at": -1}, str(tmp_path / "whole"))
    )
    assert exit_code(whole) == 0

    out = tmp_path / "split"
    killed = rehearse_notebook(NotebookRehearsal(notebook, 8, values, str(out), told_s=12 * 3600))
    assert (killed["status"], exit_code(killed)) == ("failed", 4)
    assert killed["rehearsal"]["status"] == "CANCEL_ACKNOWLEDGED"
    assert killed["reason"].endswith("exceeded the max allowed execution duration.")
    assert 0 < killed["step"] <= 60
    assert verify(out).ok
    assert package_run(out)["step"] == killed["step"]
    completed = rehearse_notebook(NotebookRehearsal(notebook, 120, values, str(out)))
    assert (completed["status"], completed["sessions"], exit_code(completed)) == ("complete", 2, 0)
    _assert_the_same(tmp_path / "whole", out)


@pytest.mark.slow
def test_a_hang_is_ended_by_the_hard_deadline_before_the_kill(tmp_path, notebook):
    """The watchdog ends a session that hangs, at the limit it was told, and leaves it resumable: exit 6."""
    values = {"hang_at": 60, "pause_s": 0.02}
    order = NotebookRehearsal(notebook, 60, values, str(tmp_path / "run"), told_s=12)
    ended = rehearse_notebook(order)
    assert (ended["reason"], exit_code(ended), ended["resumable"]) == ("hard_deadline", 6, True)
    assert ended["rehearsal"]["status"] == "ERROR"
    assert verify(tmp_path / "run").ok


def _assert_the_same(one: Path, other: Path) -> None:
    assert (one / "metrics.csv").read_bytes() == (other / "metrics.csv").read_bytes()
    newest = [max(RunFolder(root).checkpoints.glob("step-*")) for root in (one, other)]
    assert newest[0].name == newest[1].name
    files = [{file.name: file.sha256 for file in verify_checkpoint(path).files} for path in newest]
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_run_that_never_began_is_a_failure_that_shows_the_log(tmp_path, notebook):
    """Nothing came back: exit 1, with the end of the log; the folder holds no run afterwards."""

    def build(order: NotebookRehearsal, folder: Path) -> Path:
        return tiny_kernel(folder, "raise RuntimeError('no training here')")

    for name in ("run [1]", "run 1"):  # by one that was killed, and by one of another run
        (tmp_path / f".{name}.rehearsal-abc/input").mkdir(parents=True)
    order = NotebookRehearsal(notebook, 60, {}, str(tmp_path / "run [1]"))
    with pytest.raises(NotebookError, match=r"(?s)ended ERROR with exit code 1 .*no training here") as raised:
        rehearse_notebook(order, build)
    assert raised.value.exit_code == 1
    assert not order.folder.holds_a_run()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".run 1.rehearsal-abc", "run [1]", "walking.ipynb"]


def test_somebodys_folder_is_refused_before_anything_is_built(tmp_path, notebook):
    """A folder with files and no run is not written into."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.txt").write_text("mine")

    def build(order: NotebookRehearsal, folder: Path) -> Path:
        raise AssertionError("nothing is to be built")

    with pytest.raises(UsageError, match="not a run folder"):
        rehearse_notebook(NotebookRehearsal(notebook, 60, {}, str(tmp_path / "run")), build)


def test_by_default_it_lies_beside_the_run_of_this_machine(tmp_path, notebook, monkeypatch):
    """``runs/<notebook>-rehearsal``: a run that ``run`` made is in nobody's way."""
    monkeypatch.chdir(tmp_path)
    assert NotebookRehearsal(notebook, 60).folder.root == tmp_path / "runs/walking-rehearsal"


@pytest.mark.parametrize(
    ("status", "reason", "verdict", "code"),
    [
        ("complete", "", "COMPLETE", 0),
        ("complete", "", "ERROR", 1),
        ("stopped", "soft_deadline", "COMPLETE", 4),
        ("stopped", "soft_deadline", "CANCEL_ACKNOWLEDGED", 4),
        ("stopped", "soft_deadline", "ERROR", 1),
        ("failed", "hard_deadline", "ERROR", 6),
        ("failed", "hard_deadline", "CANCEL_ACKNOWLEDGED", 4),
        ("failed", "killed", "CANCEL_ACKNOWLEDGED", 4),
        ("failed", "ValueError", "ERROR", 1),
    ],
)
def test_the_exit_code_says_whether_it_can_be_continued(status, reason, verdict, code):
    """A run that the time limit killed is continued where a checkpoint is there; an error comes again."""
    summary = {"status": status, "reason": reason, "resumable": status != "complete"}
    assert exit_code({**summary, "rehearsal": {"status": verdict, "exit_code": 137}}) == code


def test_a_kill_that_left_no_checkpoint_is_a_failure():
    """There is nothing that another session could go on from."""
    rehearsal = {"status": "CANCEL_ACKNOWLEDGED", "exit_code": 137}
    killed = {"status": "failed", "reason": "killed", "resumable": False, "rehearsal": rehearsal}
    assert exit_code(killed) == 1
