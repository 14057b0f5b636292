"""Wheels of attached data sets: those that are needed, of the right kind, and nothing else."""

import sys
import zipfile
from pathlib import Path

import pytest

from kit.errors import MissingDependencyError
from kit.remote.wheels import install_wheels, is_installed

NEXT = sys.version_info.minor + 1


def make_wheel(
    folder: Path, name: str, version: str = "1.0", tag: str = "py3-none-any", needs: str = "not-there"
) -> Path:
    """Write a wheel of one module, by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"shared/{name}.txt": tag,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: {needs}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for one, text in files.items():
            wheel.writestr(one, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{one},,\n" for one in (*files, f"{info}/RECORD")))
    return path


def test_attached_wheels_are_installed_beside_and_move_nothing(tmp_path):
    """What is missing is installed, at any depth, with what it needs; what is there, or unasked, is left alone."""
    inputs, site = tmp_path / "input", tmp_path / "site"
    make_wheel(inputs / "datasets/me/wheels", "attached_one", needs="attached.two>=1")
    make_wheel(inputs / "datasets/me/wheels", "attached_two")
    make_wheel(inputs / "datasets/me/wheels", "unasked")
    make_wheel(inputs / "datasets/me/wheels", "numpy", "0.1")
    assert install_wheels(inputs, site, ["attached-one", "numpy"]) == ["attached-one", "attached-two"]
    assert (site / "attached_one.py").read_text() == "version = '1.0'\n"
    assert sorted(path.name for path in site.glob("*.py")) == ["attached_one.py", "attached_two.py"]
    assert sorted(path.name for path in (site / "shared").iterdir()) == [
        "attached_one.txt",
        "attached_two.txt",
    ]
    assert not is_installed("attached_one")
    assert is_installed("stable-baselines3")


def test_where_nothing_is_needed_nothing_is_looked_for(tmp_path):
    """An attached run may hold any wheel: none becomes importable by lying there."""
    make_wheel(tmp_path / "input", "unasked")
    assert install_wheels(tmp_path / "input", tmp_path / "site", ["numpy>=1"]) == []
    assert install_wheels(tmp_path / "input", tmp_path / "site", []) == []
    assert not (tmp_path / "site").exists()


def test_of_several_wheels_the_newest_for_this_python_is_taken(tmp_path):
    """1.10 is newer than 1.9, whatever the alphabet says; one for another Python, or out of bounds, is none."""
    for version in ("1.9", "1.10", "2.0"):
        make_wheel(tmp_path / "input", "several", version)
    make_wheel(tmp_path / "input", "several", "1.11", f"cp3{NEXT}-cp3{NEXT}-manylinux_2_17_x86_64")
    install_wheels(tmp_path / "input", tmp_path / "site", ["several<2"])
    assert (tmp_path / "site/several.py").read_text() == "version = '1.10'\n"


def test_a_wheel_that_is_not_needed_ends_no_session(tmp_path):
    """However broken it is; nor does one that only another package needs."""
    (tmp_path / "input").mkdir()
    for name in ("broken_thing-1.0-py3-none-any.whl", "no_name.whl", "beside-1.0-py3-none-any.whl"):
        (tmp_path / "input" / name).write_bytes(b"no zip")
    make_wheel(tmp_path / "input", "attached_one", needs="beside")
    assert install_wheels(tmp_path / "input", tmp_path / "site", ["attached-one"]) == ["attached-one"]


def test_a_needed_wheel_that_cannot_be_installed_says_so(tmp_path):
    """Before the training that would need it: what pip said, or what is there instead."""
    (tmp_path / "input").mkdir()
    (tmp_path / "input/broken_thing-1.0-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(
        MissingDependencyError, match=r"broken_thing-1\.0-py3-none-any\.whl could not be installed: .+"
    ):
        install_wheels(tmp_path / "input", tmp_path / "site", ["broken-thing"])
    make_wheel(tmp_path / "input", "later", tag=f"cp3{NEXT}-none-any")
    with pytest.raises(MissingDependencyError, match=rf"later: no attached wheel.*only later-1\.0-cp3{NEXT}"):
        install_wheels(tmp_path / "input", tmp_path / "site", ["later"])


def test_folders_in_front_hide_no_wheels(tmp_path, monkeypatch, caplog):
    """A deep data set before the one with wheels: looked at is level by level, and the bound is told."""
    monkeypatch.setattr("kit.harness.folders.MOST_FOLDERS", 30)
    for number in range(50):
        (tmp_path / f"input/a-pictures/{number}/inner").mkdir(parents=True)
    make_wheel(tmp_path / "input/wheels", "attached_one", needs="numpy")
    assert install_wheels(tmp_path / "input", tmp_path / "site", ["attached-one"]) == ["attached-one"]
    assert "more than 30 folders" in caplog.text
