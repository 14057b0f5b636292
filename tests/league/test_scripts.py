"""The scripts and the notebook of self-play, run as a user runs them; the notebook also killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.notebooks.drill import Drill, DrillOrder
from tests.test_cli import ROOT, call, read

SMALL = {
    "total_timesteps": 12,
    "batch_size": 32,
    "workers": 16,
    "evaluations": 3,
    "eval_games": 20,
}

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["self_play_minimal", "self_play_standard", "self_play_own_algorithm"])
def test_an_example_runs_and_goes_on_where_it_stopped(name, tmp_path):
    """To its end, exactly resumable, with a row an update; called again it is done."""
    out = tmp_path / "run"
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), "--steps", "3", "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    for _ in range(2):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "complete at update 3" in done.stdout
    assert json.loads((out / "summary.json").read_text())["exact"] is True
    assert len((out / "metrics.csv").read_text().splitlines()) == 4
    assert sorted(path.name for path in (out / "adapters").iterdir())[-1] == "000003"


def words(**changes):
    """Return the settings above, with changes, as words of a command line."""
    return [word for name, value in {**SMALL, **changes}.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture
def settings():
    """Return the settings above as words of a command line."""
    return words()


def test_the_notebook_plays_learns_and_shows(tmp_path, settings):
    """Complete, with scores, ratings, exploitability, games as text and all figures; again, it is done."""
    out = tmp_path / "run"
    code, summary, errors = call("run", out, *settings, notebook="self_play")
    assert (code, summary["status"], summary["exact"]) == (0, "complete", True), errors
    found = read(out, "results.json")
    assert found["updates"] == SMALL["total_timesteps"]
    assert found["evaluation"]["games"] == SMALL["eval_games"]
    assert {one["uid"] for one in found["players"]} >= {"base", "policy-12", "random"}
    pictures = {path.name for path in (out / "figures").glob("*.png")}
    assert pictures >= {
        "win_rate.png",
        "ratings.png",
        "exploitability.png",
        "matches.png",
        "learning_curve.png",
    }
    printed = json.dumps(json.loads((out / "executed.ipynb").read_text())["cells"])
    assert "rewards:" in printed
    assert "it/s" not in printed  # nobody's progress bar, as of the weights that transformers writes
    assert (out / "artifacts.zip").stat().st_size > 0


def test_the_notebook_plays_without_evaluations(tmp_path):
    """None is none, the last one included; all else is there."""
    out = tmp_path / "run"
    code, summary, errors = call("run", out, *words(evaluations=0), notebook="self_play")
    assert (code, summary["status"]) == (0, "complete"), errors
    assert read(out, "results.json")["evaluation"]["games"] == 0


def test_the_quick_test_foretells_the_run(tmp_path, settings):
    """Every phase of the plan is measured, and the checks on the way in pass."""
    code, summary, errors = call("quick-test", tmp_path / "quick", *settings, notebook="self_play")
    assert code in (0, 3), errors
    phases = {row["name"]: row["count"] for row in summary["forecast"]["phases"]}
    assert phases["update"] == phases["rollout"] == SMALL["total_timesteps"]
    assert phases["evaluate"] == 3 * SMALL["eval_games"]
    assert phases["warm_up"] == 1


def test_a_killed_league_ends_as_one_that_was_not(tmp_path):
    """Real kills of a real notebook: metrics.csv, results.json and the last checkpoint are the same."""
    notebook = Path(ROOT) / "notebooks/self_play.ipynb"
    order = DrillOrder(notebook, {**SMALL, "total_timesteps": 40}, str(tmp_path / "drill"), kills=3, seed=1)
    found = Drill(order).run()
    assert found["differs"] == []
    assert found["identical"]
    assert found["torn_rows"] == 0
