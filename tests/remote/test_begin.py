"""What a built notebook does first: paths, files, wheels, and what the session is told."""

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from kit.errors import MissingDependencyError
from kit.harness.clock import ManualClock
from kit.launched import began_at, given_options, given_parameters
from kit.opening import deadline_of, launched_s
from kit.options import SessionOptions
from kit.remote.begin import begin
from kit.remote.wheels import install_wheels, is_installed

BATCH = {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Where a kit was unpacked, with a working folder beside it; what begin changes of this process is put back."""
    names = ("KIT_BEGAN", "KIT_OPTIONS", "KIT_PARAMETERS", "PYTHONPATH", "OMP_WAIT_POLICY", "PYTHONHASHSEED")
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


def make_wheel(folder: Path, name: str, version: str = "1.0") -> Path:
    """Write a wheel of one module, by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: not-there\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for one, text in files.items():
            wheel.writestr(one, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{one},,\n" for one in (*files, f"{info}/RECORD")))
    return path


def test_parameters_and_options_reach_the_session(root):
    """As a command line hands them over; options that the machine was started with come first."""
    os.environ["KIT_OPTIONS"] = json.dumps({"threads": 2})
    begin({"seed": 3}, {"threads": 1, "trust": True}, root)
    assert given_parameters() == {"seed": 3}
    assert given_options() == {"threads": 2, "trust": True}
    assert SessionOptions.of().trust


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


def test_files_that_travelled_lie_where_parameters_name_them(root):
    """What is there already stays as it is."""
    lay(root / "files/data/counts.csv", "packed")
    lay(root / "files/budget.yaml", "packed")
    lay(Path("budget.yaml"), "mine")
    begin({}, {}, root)
    assert Path("data/counts.csv").read_text() == "packed"
    assert Path("budget.yaml").read_text() == "mine"


def test_attached_wheels_are_installed_beside_and_move_nothing(tmp_path):
    """One that is missing is installed, at any depth, without its dependencies; one that is there is left alone."""
    inputs, site = tmp_path / "input", tmp_path / "site"
    make_wheel(inputs / "datasets/me/wheels", "wheel_that_was_attached")
    make_wheel(inputs / "datasets/me/wheels", "numpy", "0.1")
    assert install_wheels(inputs, site) == ["wheel_that_was_attached"]
    assert (site / "wheel_that_was_attached.py").read_text() == "version = '1.0'\n"
    assert not (site / "numpy.py").exists()
    assert not is_installed("wheel_that_was_attached")
    assert is_installed("stable-baselines3")


def test_a_wheel_that_cannot_be_installed_says_so(tmp_path):
    """Before the training that would need it, with what pip said."""
    (tmp_path / "input").mkdir()
    (tmp_path / "input/broken_thing-1.0-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(MissingDependencyError, match=r"broken_thing-1\.0-py3-none-any\.whl"):
        install_wheels(tmp_path / "input", tmp_path / "site")
