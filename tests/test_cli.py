"""The command line: exit codes, messages and what is left, with real kernels, really stopped and killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import validation_cli
from kit.harness.clock import SYSTEM_CLOCK
from kit.timing.history import read_pairs
from tests.crash.runs import assert_sound, contents, finish, read, wait_for_step, wait_until

ROOT = Path(__file__).resolve().parent.parent
WALK = "tests/notebooks/fixtures/trains.ipynb"
SLOWLY = ("--set", "pause_s=0.005", "--set", "total_timesteps=400")
Cli = subprocess.Popen[str]


def start(command: str, out: Path, *arguments: str, notebook: str = WALK) -> Cli:
    """Start the command line on a notebook."""
    words = [sys.executable, "validation_cli.py", command, notebook, "--out", str(out), "--json", *arguments]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def call(command: str, out: Path, *arguments: str, notebook: str = WALK) -> tuple[int, dict[str, Any], str]:
    """Run it to its end; return exit code, the JSON object on stdout and what is on stderr."""
    code, output, errors = finish(start(command, out, *arguments, notebook=notebook))
    return code, json.loads(output), errors


def main(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, stdout and stderr."""
    code = validation_cli.main(words)
    said = capsys.readouterr()
    return code, said.out, said.err


def kernel_of(pid: int) -> psutil.Process | None:
    """Return the kernel below a command."""
    for child in psutil.Process(pid).children(recursive=True):
        if any("kernel_main" in word for word in child.cmdline()):
            return child
    return None


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run of the walk through the command line; not to be changed."""
    out = tmp_path_factory.mktemp("completed") / "run"
    code, summary, errors = call("run", out, "--set", "total_timesteps=400")
    assert code == 0, errors
    assert summary["run_dir"] == str(out)
    return out


@pytest.fixture(scope="module", autouse=True)
def hung(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Cli]]:
    """A run whose first step never returns, started early: until its hard deadline the other tests go on."""
    out = tmp_path_factory.mktemp("hung") / "run"
    process = start("run", out, "--set", "hang_at=0", "--soft-limit", "10", "--hard-limit", "11")
    with process:
        yield out, process
        process.kill()


@pytest.fixture
def copy(completed: Path, tmp_path: Path) -> Path:
    """A copy of the complete run."""
    return Path(shutil.copytree(completed, tmp_path / "copy"))


def assert_finishes_like(out: Path, completed: Path) -> None:
    """Called again, the run completes, with the rows of the one that nothing happened to."""
    code, summary, errors = call("run", out, "--set", "total_timesteps=400")
    assert (code, summary["status"], summary["step"]) == (0, "complete", 400), errors
    assert (out / "metrics.csv").read_bytes() == (completed / "metrics.csv").read_bytes()
    assert_sound(out)


def test_a_run_leaves_what_the_design_promises(completed):
    """Each file of a run folder is there, the executed notebook is in the archive, and the summary is whole."""
    for name in (
        "run.json",
        "metrics.csv",
        "timing.csv",
        "timing.json",
        "logs/run.log",
        "report.html",
        "executed.ipynb",
    ):
        assert (completed / name).stat().st_size > 0
    with zipfile.ZipFile(completed / "artifacts.zip") as archive:
        names = archive.namelist()
    assert {"SHA256SUMS", "executed.ipynb", "summary.json", "metrics.csv"} <= set(names)
    assert not [name for name in names if ".kit" in name]
    summary = read(completed)
    assert summary | {"status": "complete", "step": 400, "sessions": 1, "exact": True} == summary
    assert summary["total_timesteps"] == summary["requested_timesteps"] == 400
    printed = json.dumps(json.loads((completed / "executed.ipynb").read_text())["cells"][-1]["outputs"])
    assert "the end" in printed


def test_elapsed_is_the_whole_command_and_the_phases_add_up_to_it(completed):
    """elapsed_s is wall time from the launch; the seconds of all phases sum up to it within a tenth."""
    phases = read(completed, "timing.json")["phases"]
    total = sum(row["total_s"] for row in phases)
    assert total == pytest.approx(read(completed)["elapsed_s"], rel=0.1)


def test_verify_accepts_an_archive_and_finds_a_flipped_byte(copy, capsys):
    """0 for what was written, run folder and archive; 5 after one bit of it has flipped."""
    assert main(capsys, "verify", str(copy))[0] == 0
    code, output, _ = main(capsys, "verify", str(copy / "artifacts.zip"), "--json")
    assert (code, json.loads(output)["ok"]) == (0, True)
    data = bytearray((copy / "artifacts.zip").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "artifacts.zip").write_bytes(data)
    code, output, _ = main(capsys, "verify", "--json", str(copy / "artifacts.zip"))
    assert (code, json.loads(output)["ok"]) == (5, False)
    assert json.loads(output)["bad"]


def test_a_complete_run_called_again_ends_at_once_without_a_kernel(copy, capsys):
    """Exit 0 in less than three seconds; not a byte has changed."""
    before, began = contents(copy), SYSTEM_CLOCK.monotonic()
    code, output, _ = main(capsys, "run", WALK, "--out", str(copy), "--set", "total_timesteps=400")
    assert code == 0
    assert "COMPLETE" in output
    assert SYSTEM_CLOCK.monotonic() - began < 3.0
    assert contents(copy) == before


@pytest.mark.parametrize(
    "harm", ["no archive", "another summary", "a sum that is not the archive's", "partial"]
)
def test_a_complete_run_that_was_killed_while_it_was_archived_is_archived_again(copy, capsys, harm):
    """Without a kernel: its summary was written, its archive not, or not its notebook."""
    if harm == "no archive":
        (copy / "artifacts.zip").unlink()
    elif harm == "another summary":
        summary = json.loads((copy / "summary.json").read_text())
        (copy / "summary.json").write_text(json.dumps(summary | {"elapsed_s": 1.5}))
    elif harm == "partial":
        (copy / "executed.ipynb").rename(copy / "executed.partial.ipynb")
    else:
        (copy / "artifacts.zip.sha256").write_text(f"{'0' * 64}  artifacts.zip\n")
    assert main(capsys, "run", WALK, "--out", str(copy), "--set", "total_timesteps=400")[0] == 0
    assert main(capsys, "verify", str(copy))[0] == 0
    with zipfile.ZipFile(copy / "artifacts.zip") as archive:
        assert archive.read("summary.json") == (copy / "summary.json").read_bytes()
        assert archive.read("executed.ipynb") == (copy / "executed.ipynb").read_bytes()


def test_other_settings_are_refused_by_name_and_change_nothing(copy, capsys):
    """Exit 2 names each setting that differs with both values; not a byte has changed."""
    before = contents(copy)
    settings = ("--set", "seed=4", "--set", "algorithm=stroll", "--set", "total_timesteps=400")
    code, output, _ = main(capsys, "run", WALK, "--out", str(copy), *settings, "--json")
    assert code == 2
    error = json.loads(output)["error"]
    assert "seed: 3 there, 4 asked for" in error
    assert "algorithm: 'walk' there, 'stroll' asked for" in error
    assert contents(copy) == before


def test_a_stopped_run_continues_and_settings_of_the_notebook_itself_are_refused(tmp_path, completed):
    """Exit 4 at the soft deadline; other hyperparameters exit 2 and change nothing but the log; then exit 0."""
    out = tmp_path / "run"
    code, summary, errors = call(
        "run", out, "--soft-limit", "4", "--set", "total_timesteps=400", "--set", "pause_s=0.02"
    )
    assert code == 4, errors
    assert (summary["status"], summary["reason"], summary["resumable"]) == ("stopped", "soft_deadline", True)
    assert 0 < summary["step"] < 400
    assert_sound(out)
    before = contents(out)
    other = ("--set", "total_timesteps=400", "--set", "fail=other settings")
    code, said, _ = call("run", out, *other)
    assert code == 2
    assert "learning_rate: 0.2 there, 0.1 asked for" in said["error"]
    after = contents(out)
    assert [name for name in before if before[name] != after.get(name)] == ["logs/notebook.log"]
    assert set(after) == set(before)
    assert_finishes_like(out, completed)


@pytest.mark.slow
def test_fresh_moves_a_run_aside(copy):
    """--fresh starts anew and keeps the old run, byte for byte, beside it."""
    before = contents(copy)
    code, summary, errors = call("run", copy, "--fresh", "--set", "seed=4")
    assert (code, summary["step"], summary["sessions"]) == (0, 200, 1), errors
    assert contents(copy.with_name("copy.old-1")) == before


def test_signals_to_the_command_take_the_soft_path_however_often(tmp_path, completed):
    """SIGTERM, then SIGINT twice: exit 4, and the next call completes as if nothing had been."""
    process = start("run", tmp_path / "run", *SLOWLY)
    wait_for_step(tmp_path / "run", 20)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
        process.send_signal(number)
    code, output, errors = finish(process)
    assert code == 4, errors
    summary = json.loads(output)
    assert summary["status"] == "stopped"
    assert summary["reason"] in ("SIGTERM", "SIGINT")  # those that wait together arrive in any order
    assert "Stopping at the next safe boundary" in errors
    assert_finishes_like(tmp_path / "run", completed)


def test_a_killed_kernel_is_a_failure_that_can_be_continued(tmp_path, completed):
    """SIGKILL of the kernel: exit 1, status failed, an archive; the next call completes as if nothing had been."""
    process = start("run", tmp_path / "run", *SLOWLY)
    wait_for_step(tmp_path / "run", 100)
    kernel_of(process.pid).kill()
    code, output, _ = finish(process)
    assert (code, json.loads(output)["status"]) == (1, "failed")
    assert json.loads(output)["resumable"]
    assert_sound(tmp_path / "run")
    assert (tmp_path / "run/artifacts.zip").exists()
    assert_finishes_like(tmp_path / "run", completed)


@pytest.mark.slow
def test_a_killed_command_stops_its_run_softly(tmp_path, completed):
    """SIGKILL of the command: nobody trains on unseen, the run stops with a checkpoint and can be continued."""
    out = tmp_path / "run"
    process = start("run", out, "--set", "pause_s=0.05", "--set", "total_timesteps=400")
    wait_for_step(out, 5)
    kernel = kernel_of(process.pid)
    second = start("run", out, "--set", "total_timesteps=400")
    code, output, _ = finish(second)
    assert code == 2
    assert f"pid {process.pid}" in json.loads(output)["error"]
    process.kill()
    finish(process)
    wait_until(
        lambda: not kernel.is_running() or kernel.status() == psutil.STATUS_ZOMBIE, "the end of the kernel"
    )
    summary = read(out)
    assert (summary["status"], summary["resumable"]) == ("stopped", True)
    assert "gone" in summary["reason"]
    assert_finishes_like(out, completed)


def test_the_hard_deadline_ends_a_hung_notebook_with_exit_6(hung):
    """A native call that keeps the interpreter's lock: exit 6, stopped at the hard deadline, archived."""
    out, process = hung
    code, output, errors = finish(process)
    summary = json.loads(output)
    assert code == 6, errors
    assert (summary["status"], summary["reason"]) == ("stopped", "hard_deadline")
    assert 11 <= summary["elapsed_s"] < 40
    assert_sound(out)
    assert (out / "artifacts.zip").exists()


@pytest.mark.parametrize(
    ("fail", "step"),
    [
        ("training", 0),
        pytest.param("after", 200, marks=pytest.mark.slow),
        pytest.param("exit", 200, marks=pytest.mark.slow),
    ],
)
def test_a_notebook_that_fails_is_a_failed_run_with_an_archive(tmp_path, fail, step):
    """An error in training, one after it, and sys.exit(0) in a cell: exit 1, status failed, everything archived."""
    code, summary, _ = call("run", tmp_path / "run", "--set", f"fail={fail}")
    assert (code, summary["status"]) == (1, "failed")
    assert ("SystemExit" if fail == "exit" else "a bug") in summary["reason"]
    assert summary["step"] == step
    assert_sound(tmp_path / "run")
    assert (tmp_path / "run/artifacts.zip").exists()


@pytest.mark.slow
def test_a_notebook_that_fails_before_its_session_is_told_with_its_traceback(tmp_path):
    """No session, no run: exit 1 with the error; the folder takes the next run."""
    code, said, _ = call("run", tmp_path / "run", "--set", "fail=before")
    assert code == 1
    assert "a bug before the session" in said["error"]
    assert call("run", tmp_path / "run")[0] == 0


def test_an_unknown_name_inside_the_notebook_keeps_its_nearest(tmp_path):
    """What the notebook refuses before its session is exit 2, with the nearest legal name."""
    code, said, _ = call("run", tmp_path / "run", "--set", "algorithm=strol")
    assert (code, said["nearest"]) == (2, "stroll")
    assert "Unknown algorithm 'strol'" in said["error"]
    assert "Legal: stroll, walk" in said["error"]


@pytest.mark.parametrize(
    ("words", "says", "nearest"),
    [
        (["run", "traffic_signl"], "Unknown notebook 'traffic_signl'", "traffic_signal"),
        (["run", "nowhere/x.ipynb"], "nowhere/x.ipynb", None),
        (["run", WALK, "--set", "total_timestep=1"], "Unknown parameter 'total_timestep'", "total_timesteps"),
        (
            ["run", WALK, "--set", "soft_limit=1"],
            "'soft_limit' is no setting of the run but an option",
            "--soft-limit",
        ),
        (["run", WALK, "--set", "seed"], "'seed' is not of the form", None),
        (["run", WALK, "--set", "seed=x"], "'seed' got 'x'", None),
        (["run", WALK, "--soft-limit", "10.5 hours"], "'10.5 hours'", "10.5h"),
        (["run", WALK, "--soft-limit", "2h", "--hard-limit", "1h"], "must come before the hard limit", None),
        (["run", WALK, "--on-pressure", "reduced"], "Unknown on_pressure 'reduced'", "reduce"),
        (["run", WALK, "--sotf-limit", "1h"], "--sotf-limit", "--soft-limit"),
        (["run", WALK, "--fresch"], "--fresch", "--fresh"),
        (["rum", WALK], "rum", "run"),
        (["run"], "NOTEBOOK", None),
        ([], "COMMAND", None),
        (["extrapolate", "nowhere"], "nowhere is not a run folder", None),
        (["package", "nowhere"], "nowhere is not a run folder", None),
        (["verify", "nowhere"], "nothing to verify at nowhere", None),
        (["extrapolate", "x", "--timesteps", "many"], "many", None),
    ],
)
def test_bad_usage_names_the_value_and_the_nearest_and_exits_2(
    words, says, nearest, capsys, tmp_path, monkeypatch
):
    """With --json {error, nearest} stands alone on stdout; without it stdout is empty; no kernel starts."""
    monkeypatch.chdir(ROOT)
    out = ["--out", str(tmp_path / "run")] if words[:1] == ["run"] and len(words) > 1 else []
    code, output, errors = main(capsys, *words, *out, "--json")
    said = json.loads(output)
    assert code == 2
    assert set(said) == {"error", "nearest"}
    assert says in said["error"]
    assert said["nearest"] == nearest
    assert errors.startswith("error: ")
    assert "Traceback" not in errors
    code, output, errors = main(capsys, *words, *out)
    assert (code, output) == (2, "")
    assert says in errors
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path, capsys):
    """Exit 1, the folder by name, and nothing on stdout."""
    (tmp_path / "file").write_text("in the way")
    code, output, errors = main(capsys, "run", WALK, "--out", str(tmp_path / "file" / "run"))
    assert (code, output) == (1, "")
    assert f"{tmp_path / 'file'}" in errors
    assert "Not a directory" in errors


def test_a_quick_test_forecasts_always_fresh_and_the_run_remembers(tmp_path, capsys):
    """It exits 0 with a forecast, again from step 0; extrapolate asks it; the run beside it carries the forecast."""
    quick = tmp_path / "run-quick"
    settings = ("--set", "total_timesteps=400")
    stale, users = quick / "figures" / "stale.png", quick / "users.txt"
    for attempt in range(2):
        code, summary, errors = call("quick-test", quick, *settings)
        assert code == 0, errors
        assert (summary["step"], summary["sessions"]) == (20, 1)
        assert summary["forecast"]["total_timesteps"] == 400
        assert summary["forecast"]["verdict"] == "fit"
        assert not stale.exists()
        stale.touch()
        assert attempt == 0 or users.read_text() == "precious"
        users.write_text("precious")
    assert not quick.with_name("run-quick.old-1").exists()
    code, output, _ = main(capsys, "extrapolate", str(quick), "--timesteps", "800", "--limit", "1h", "--json")
    found = json.loads(output)
    assert (code, found["total_timesteps"], found["limit_s"]) == (0, 800, 3600)
    assert [option["name"] for option in found["options"]] == ["A", "B", "C"]
    code, output, _ = main(capsys, "extrapolate", str(quick), "--timesteps", "800", "--limit", "1s")
    assert code == 3
    assert "DOES NOT FIT" in output
    known = len(read_pairs())
    code, summary, _ = call("run", tmp_path / "run", *settings)
    assert (code, summary["forecast"]["total_timesteps"]) == (0, 400)
    assert [pair.actual_s for pair in read_pairs()[known:]] == [summary["elapsed_s"]]
    assert summary["forecast"]["predicted_s"] > 0


@pytest.mark.slow
def test_a_quick_test_without_a_gradient_step_fails(tmp_path):
    """A hundred steps of collection say nothing of a run that learns: exit 1, in a fixture and with real DQN."""
    code, said, _ = call("quick-test", tmp_path / "walk", "--set", "fail=no updates")
    assert code == 1
    assert "contained no gradient step" in said["error"]
    settings = ("--set", "scenario=varying", "--set", "total_timesteps=300")
    code, said, _ = call("quick-test", tmp_path / "dqn", *settings, notebook="traffic_signal")
    assert code == 1
    assert "contained no gradient step" in said["error"]


@pytest.mark.slow
def test_pressure_reduces_the_run_so_that_it_completes(tmp_path):
    """With --on-pressure reduce: exit 0 before the soft limit, both totals and each change in the summary."""
    arguments = (
        "--set",
        "total_timesteps=100000",
        "--set",
        "pause_s=0.005",
        "--soft-limit",
        "8",
        "--on-pressure",
        "reduce",
    )
    code, summary, errors = call("run", tmp_path / "run", *arguments)
    assert (code, summary["status"]) == (0, "complete"), errors
    assert summary["requested_timesteps"] == 100_000
    assert summary["total_timesteps"] == summary["step"] < 2_000
    assert summary["scalings"][-1]["after"] == summary["step"]
    assert "under time pressure" in (tmp_path / "run/logs/run.log").read_text().lower()


def test_the_traffic_notebook_runs(tmp_path):
    """The real notebook, small: trains, compares with the baselines on test days, draws, reports, archives."""
    settings = ("--set", "scenario=varying", "--set", "total_timesteps=1500", "--set", "test_days=2")
    code, summary, errors = call("run", tmp_path / "run", *settings, notebook="traffic_signal")
    assert (code, summary["step"], summary["exact"]) == (0, 1500, True), errors
    evaluation = read(tmp_path / "run", "results.json")["evaluation"]
    assert evaluation["n_seeds"] == 2
    assert len(evaluation["controllers"]) >= 4
    assert len(list((tmp_path / "run/figures").glob("*.png"))) >= 3
    assert_sound(tmp_path / "run")


@pytest.mark.slow
def test_ppo_stopped_after_30_s_of_two_million_steps_ends_like_one_that_never_was(tmp_path):
    """Exit 4 at the soft limit, exit 0 on the second call, metrics.csv equal to that of an uninterrupted run."""
    settings = [
        word
        for setting in ("scenario=varying", "algorithm=ppo", "total_timesteps=2000000", "test_days=2")
        for word in ("--set", setting)
    ]
    process = start("run", tmp_path / "cut", *settings, "--soft-limit", "30", notebook="traffic_signal")
    code, output, errors = finish(process, 300)
    assert code == 4, errors
    assert 0 < json.loads(output)["step"] < 2_000_000
    for out in (tmp_path / "cut", tmp_path / "whole"):
        code, output, errors = finish(start("run", out, *settings, notebook="traffic_signal"), 3_600)
        # The last rollout of 16 environments x 240 steps is finished: 521 of them.
        assert (code, json.loads(output)["step"]) == (0, 521 * 3_840), errors
    assert (tmp_path / "cut/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()
    assert_sound(tmp_path / "cut")


def test_options_may_stand_before_and_after_the_arguments(capsys, tmp_path):
    """--json before the command, after it, and last mean the same."""
    target = str(tmp_path)
    said = [
        main(capsys, *words)[:2]
        for words in (
            ["--json", "verify", target],
            ["verify", "--json", target],
            ["verify", target, "--json"],
        )
    ]
    assert said[0] == said[1] == said[2]
    assert said[0][0] == 2
    assert "error" in json.loads(said[0][1])


def test_the_command_line_runs_as_a_program():
    """From the shell it answers --help with every command, and leaves with the code that main() returns."""
    environment = {**os.environ, "COLUMNS": "200"}
    command = [sys.executable, "validation_cli.py"]
    done = subprocess.run(
        [*command, "--help"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    for name in validation_cli.COMMANDS:
        assert name in done.stdout
    assert (
        subprocess.run([*command, "verify", "nowhere"], cwd=ROOT, capture_output=True, check=False).returncode
        == 2
    )


@pytest.mark.parametrize("command", ["run", "quick-test"])
def test_a_folder_with_somebodys_files_is_refused_untouched(tmp_path, command):
    """--out on a folder that is no run's and not empty exits 2; every byte in it stays, a metrics.csv too."""
    out = tmp_path / "thesis"
    (out / "best").mkdir(parents=True)
    files = {
        "metrics.csv": "step,precious\n1,2\n",
        "run.json": '{"name": "mine"}',
        "best/notes.txt": "precious",
    }
    for name, text in files.items():
        (out / name).write_text(text)
    code, said, _ = call(command, out)
    assert (code, "is not a run folder" in said["error"]) == (2, True)
    assert {name: (out / name).read_text() for name in files} == files
    assert sorted(path.name for path in out.iterdir()) == ["best", "metrics.csv", "run.json"]
