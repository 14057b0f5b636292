"""What a built notebook does first: paths, files, wheels, and what the session is told."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kit.harness.clock import ManualClock
from kit.harness.platform import detect
from kit.launched import began_at, given_options, given_parameters
from kit.opening import deadline_of, launched_s
from kit.options import SessionOptions
from kit.remote.begin import begin
from tests.remote.test_wheels import make_wheel

BATCH = {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Where a kit was unpacked, with a working folder beside it; what begin changes of this process is put back."""
    names = (
        "KIT_BEGAN",
        "KIT_OPTIONS",
        "KIT_PARAMETERS",
        "KIT_DEFAULTS",
        "PYTHONPATH",
        "OMP_WAIT_POLICY",
        "PYTHONHASHSEED",
    )
    for name in (*names, *BATCH, "KAGGLE_URL_BASE", "COLAB_RELEASE_TAG"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    return tmp_path / "kit-1"


def lay(path: Path, text: str = "") -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_parameters_and_options_reach_the_session(root, monkeypatch):
    """As a command line hands them over; options that the machine was started with come first."""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    os.environ["KIT_OPTIONS"] = json.dumps({"threads": 2})
    begin({"seed": 3}, {"threads": 1, "trust": True}, root)
    assert given_parameters() == {"seed": 3}
    assert given_options() == {"threads": 2, "trust": True}
    assert SessionOptions.of().trust


def test_parameters_of_a_notebook_that_is_opened_by_hand_are_those_of_its_cell(root, monkeypatch):
    """It can be changed there: told is what is other than in the notebook that it was built from."""
    begin({"seed": 3}, {}, root, defaults={"seed": 0, "rate": 0.5, "name": "", "gone": 1, "layers": []})
    for name, value in {"seed": 4, "rate": 0.5, "name": "x", "layers": range(3), "other": 1}.items():
        monkeypatch.setattr("__main__." + name, value, raising=False)
    assert given_parameters() == {"seed": 4, "name": "x"}


@pytest.mark.parametrize(("kind", "limit"), [("Batch", 60.0), ("Interactive", "")])
def test_the_limit_of_a_push_holds_where_it_was_pushed_to(root, monkeypatch, kind, limit):
    """Unattended on Kaggle, and not where somebody opens the notebook by hand."""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", kind)
    begin({}, {"session_limit": 60.0, "on_pressure": "reduce"}, root)
    options = SessionOptions.of()
    assert (options.session_limit, options.on_pressure) == (limit, "reduce")


def test_a_pushed_session_counts_from_process_one(root, monkeypatch):
    """Also with a limit of its own; deadlines and elapsed time begin where the machine did."""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setattr("kit.remote.begin.process_age_s", {1: 40.0}.get)
    begin({}, {"session_limit": 80.0}, root, ManualClock(monotonic=1_000.0))
    clock = ManualClock(monotonic=1_010.0)
    assert began_at() == 960.0
    assert deadline_of(SessionOptions.of(), clock).soft_at == 960.0 + 70.0
    assert launched_s(clock) == 960.0


def test_a_start_that_was_handed_in_is_kept(root, monkeypatch):
    """A rehearsal's process 1 may be older than the rehearsal."""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setenv("KIT_BEGAN", "950.5")
    begin({}, {}, root, ManualClock(monotonic=1_000.0))
    assert began_at() == 950.5


def test_opened_by_hand_nothing_counts_from_process_one(root):
    """A laptop has been on for days."""
    begin({}, {}, root)
    assert began_at() is None


def test_a_package_that_travelled_is_used_only_where_it_is_missing(root):
    """At the end of the path, for child processes too; one that is installed here is not even on it."""
    lay(root / "site/packed-thing/packed_thing.py", "here = True\n")
    lay(root / "site/numpy/numpy/__init__.py", "raise RuntimeError\n")
    begin({}, {}, root)
    assert sys.path[-1] == str(root / "site/packed-thing")
    assert os.environ["PYTHONPATH"] == str(root / "site/packed-thing")
    assert str(root / "site/numpy") not in sys.path
    begin({}, {}, root)
    assert sys.path.count(str(root / "site/packed-thing")) == 1


def test_files_that_travelled_lie_where_parameters_name_them(root, caplog):
    """What is there already stays as it is, and is told where it is another."""
    lay(root / "files/data/counts.csv", "packed")
    lay(root / "files/budget.yaml", "packed")
    lay(Path("budget.yaml"), "mine")
    begin({}, {}, root)
    assert Path("data/counts.csv").read_text() == "packed"
    assert Path("budget.yaml").read_text() == "mine"
    (told,) = caplog.messages
    assert "budget.yaml is used as it is there" in told


def test_wheels_are_installed_on_kaggle_only_and_only_what_the_build_found_missing(root, monkeypatch):
    """They end up at the end of the path; elsewhere the user installs what is missing."""
    make_wheel(root.parent / "input/wheels", "wheel_that_is_needed")
    make_wheel(root.parent / "input/wheels", "wheel_of_somebody_else")
    platform = replace(detect(BATCH), input_root=root.parent / "input")
    monkeypatch.setattr("kit.remote.begin.detect", lambda: replace(platform, kind="colab"))
    begin({}, {}, root, needed=["wheel-that-is-needed"])
    assert not (root / "attached").exists()
    monkeypatch.setattr("kit.remote.begin.detect", lambda: platform)
    begin({}, {}, root, needed=["wheel-that-is-needed"])
    assert sys.path[-1] == str(root / "attached")
    assert [path.name for path in (root / "attached").glob("*.py")] == ["wheel_that_is_needed.py"]
