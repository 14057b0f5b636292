"""A built notebook run as Kaggle runs it: a real kernel, nothing of the repository beside it, session after session."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kit.harness.clock import SYSTEM_CLOCK
from kit.remote.kernel import KernelOrder, build_kernel
from tests.crash.runs import assert_sound, read
from tests.remote.building import image_without, run_as_kaggle_does, walk_notebook

pytestmark = pytest.mark.slow
LAST = """from pathlib import Path

import kit

session.close()
Path("said.txt").write_text(kit.__file__)"""


def run_on_kaggle(notebook: Path, working: Path, began_s_ago: float) -> subprocess.CompletedProcess[str]:
    """Run a notebook unattended, on a machine that began so long ago."""
    began = SYSTEM_CLOCK.monotonic() - began_s_ago
    return run_as_kaggle_does(notebook, working, KAGGLE_KERNEL_RUN_TYPE="Batch", KIT_BEGAN=repr(began))


def test_a_run_of_two_sessions_ends_as_one_that_was_never_broken_off(tmp_path):
    """Broken off at step 25 of 40; the second session finds the first one's output and continues it, exactly."""
    notebook = walk_notebook(tmp_path / "mine", last=LAST)

    def run(name: str, values: dict[str, object], **options: object) -> Path:
        out = tmp_path / name / "kaggle/output/walk"
        order = KernelOrder(notebook, "me", {"out": str(out), **values}, options=options)
        built = build_kernel(order, tmp_path / f"built-{name}")
        done = run_on_kaggle(built.notebook, tmp_path / name / "kaggle/working", began_s_ago=1.0)
        assert (done.returncode == 0) == (not values), done.stderr[-2000:]
        return out

    straight = run("straight", {})
    said = Path((tmp_path / "straight/kaggle/working/said.txt").read_text())
    (carried,) = (tmp_path / "straight/kaggle").glob("kit-*")
    assert said == carried / "kit/__init__.py"
    first = run("first", {"until": 25})
    assert read(first)["status"] == "failed"
    shutil.rmtree(first / ".kit")
    second = run("second", {}, inputs=str(first.parent), must_resume=True)
    assert (second / "metrics.csv").read_bytes() == (straight / "metrics.csv").read_bytes()
    summary = read(second)
    assert (summary["status"], summary["sessions"], summary["exact"]) == ("complete", 2, True)
    assert_sound(second)


def test_the_limit_of_a_push_counts_from_where_the_machine_began(tmp_path):
    """Ten minutes granted, 560 s of them gone before the notebook: the session stops at once, resumable."""
    out = tmp_path / "run"
    order = KernelOrder(
        walk_notebook(tmp_path / "mine"), "me", {"out": str(out), "seed": 2}, session_limit_s=600.0
    )
    built = build_kernel(order, tmp_path / "built")
    done = run_on_kaggle(built.notebook, tmp_path / "kaggle/working", began_s_ago=560.0)
    assert done.returncode == 0, done.stderr[-2000:]
    summary, facts = read(out), read(out, "run.json")
    assert (summary["status"], summary["resumable"]) == ("stopped", True)
    assert facts["limits"] == {"soft_s": 525.0, "hard_s": pytest.approx(591.67, abs=0.01), "session_s": 600.0}
    assert facts["notebook_parameters"] == {"out": str(out), "seed": 2}
    assert summary["elapsed_s"] >= 560.0


def test_opened_by_hand_the_limit_of_the_push_does_not_hold(tmp_path):
    """In Jupyter on any machine the same notebook runs to its end, without the seconds that Kaggle would grant."""
    order = KernelOrder(walk_notebook(tmp_path / "mine"), "me", session_limit_s=0.001)
    built = build_kernel(order, tmp_path / "built")
    done = run_as_kaggle_does(built.notebook, tmp_path / "here/folder")
    assert done.returncode == 0, done.stderr[-2000:]
    assert read(tmp_path / "here/folder/runs/walk")["status"] == "complete"


def test_the_traffic_notebook_trains_where_neither_the_kit_nor_stable_baselines3_is_installed(
    tmp_path, repository
):
    """As on the image: both come out of the notebook, which trains on the embedded scenario and compares."""
    values = {"total_timesteps": 600, "test_days": 2, "quick_test": True}
    order = KernelOrder(repository / "notebooks/traffic_signal.ipynb", "me", values)
    built = build_kernel(order, tmp_path / "built")
    python, path = image_without(tmp_path / "image", "stable_baselines3", "sb3_contrib", "libsumo", "sumo")
    working = tmp_path / "content/working"
    done = run_as_kaggle_does(built.notebook, working, python, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr[-2000:]
    run = working / "runs/traffic_signal-quick"
    assert read(run)["status"] == "complete"
    versions = read(run, "run.json")["versions"]
    assert versions["stable-baselines3"] == built.carried["stable-baselines3"]
    assert "sb3-contrib" not in versions, "the kernel saw this machine's packages, so nothing is shown"
    assert read(run, "results.json")
    assert (run / "report.html").stat().st_size > 0, "the drawing process found them too"
