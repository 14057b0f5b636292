"""The notebook for Colab: it carries all it needs, keeps its run in the Drive, and offers the archive."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kit.errors import UsageError
from kit.harness.platform import detect
from kit.harness.run_folder import RunFolder, move_aside
from kit.notebooks.document import Document
from kit.remote.colab import ColabOrder, badge, build_colab, mount_drive, offer_download
from kit.remote.first_cell import TAG
from tests.crash.runs import assert_sound, read
from tests.remote.building import run_as_kaggle_does, walk_notebook

COLAB = {"COLAB_RELEASE_TAG": "release-colab_20261101"}


@pytest.fixture
def built(tmp_path):
    """A built notebook with a badge."""
    return build_colab(ColabOrder(walk_notebook(tmp_path / "mine"), repository="me/kit"), tmp_path / "colab")


@pytest.fixture
def colab(monkeypatch):
    """Colab's environment, with stand-ins for its modules that note what is asked of them."""
    asked: list[tuple[str, str]] = []
    for name in ("google", "google.colab", "google.colab.drive", "google.colab.files"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    drive, files = sys.modules["google.colab.drive"], sys.modules["google.colab.files"]
    monkeypatch.setattr(drive, "mount", lambda place: asked.append(("mount", place)), raising=False)
    monkeypatch.setattr(files, "download", lambda path: asked.append(("download", path)), raising=False)
    for name in ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_URL_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLAB_RELEASE_TAG", COLAB["COLAB_RELEASE_TAG"])
    return asked


def test_the_badge_opens_the_built_notebook(built):
    """First cell: a picture that leads to Colab, with repository, branch and place."""
    first = Document.read(built).cells[0]
    assert first.kind == "markdown"
    assert first.source.endswith(
        "https://colab.research.google.com/github/me/kit/blob/main/colab/random_walk.ipynb)"
    )
    with pytest.raises(UsageError, match="Legal: owner/name"):
        badge(ColabOrder(built, repository="https://host/me/kit"))


def test_a_built_notebook_is_valid_and_in_the_right_order(built):
    """Badge, the choice of the Drive, the kit, the notebook, the download."""
    import nbformat

    nbformat.validate(nbformat.read(built, as_version=4))
    ids = [cell["id"] for cell in json.loads(built.read_text())["cells"]]
    assert ids[:3] == ["training-kit-badge", "training-kit-drive", TAG]
    assert ids[-2:] == ["cell-3", "training-kit-download"]


def test_a_drive_that_is_mounted_is_where_runs_go(tmp_path):
    """And only where it is mounted; Kaggle's image carries Colab's variables and has no Drive."""
    assert detect(COLAB, tmp_path / "drive").output_root == Path("/content")
    (tmp_path / "drive").mkdir()
    mounted = detect(COLAB, tmp_path / "drive")
    assert mounted.output_root == tmp_path / "drive"
    assert mounted.input_root == Path("/content/runs"), "where a run begun before the mounting lies"
    kaggle = detect(COLAB | {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, tmp_path / "drive")
    assert kaggle.output_root == Path("/kaggle/working")


def test_locks_and_the_heartbeat_of_a_run_on_the_drive_lie_on_the_machine():
    """Shared memory and locks are nothing to be synced; two runs have two of them."""
    one = RunFolder(Path("/content/drive/MyDrive/runs/walk"))
    other = RunFolder(Path("/content/drive/MyDrive/runs/other"))
    assert one.control.is_relative_to("/content/.training-kit")
    assert one.control != other.control
    assert RunFolder(Path("/content/runs/walk")).control == Path("/content/runs/walk/.kit")


def test_what_was_found_out_about_a_run_goes_when_it_is_moved_aside(tmp_path, monkeypatch):
    """Where the control folder lies elsewhere it does not go along: how an environment is captured may not hold."""
    monkeypatch.setattr("kit.harness.run_folder.DRIVE", tmp_path / "drive")
    monkeypatch.setattr("kit.harness.run_folder.LOCAL_CONTROL", tmp_path / "control")
    folder = RunFolder(tmp_path / "drive/runs/walk")
    folder.create()
    folder.environment.write_text("{}")
    move_aside(folder)
    assert not folder.environment.exists()
    assert folder.control.is_dir()


def test_the_drive_is_mounted_on_colab_only_and_when_wanted(tmp_path, monkeypatch, colab):
    """Mounting asks for permission: once, above the folder of the user's files, and never elsewhere."""
    mount_drive(True, tmp_path / "drive/MyDrive")
    assert colab == [("mount", str(tmp_path / "drive"))]
    assert not mount_drive(False, tmp_path / "drive/MyDrive")
    (tmp_path / "drive/MyDrive").mkdir(parents=True)
    assert mount_drive(True, tmp_path / "drive/MyDrive")
    monkeypatch.delenv("COLAB_RELEASE_TAG")
    assert not mount_drive(True, tmp_path / "drive/MyDrive")
    assert len(colab) == 1


def test_the_archive_is_offered_on_colab_and_named_elsewhere(tmp_path, monkeypatch, colab):
    """Of two archives of the notebook the newest; without one nothing is offered."""
    out = str(tmp_path / "walk")
    assert offer_download("walk", out) is None
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk/artifacts.zip").write_bytes(b"")
    assert offer_download("walk", out) == tmp_path / "walk/artifacts.zip"
    assert colab == [("download", str(tmp_path / "walk/artifacts.zip"))]
    monkeypatch.delenv("COLAB_RELEASE_TAG")
    assert offer_download("walk", out) == tmp_path / "walk/artifacts.zip"
    assert len(colab) == 1


@pytest.mark.slow
def test_it_runs_in_an_empty_folder_with_nothing_of_the_repository_beside_it(tmp_path, built):
    """In a real kernel: the run is complete and sound, its kit is the one it carried, it continued after a break."""
    working = tmp_path / "there/content"
    done = run_as_kaggle_does(built, working)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [path.name for path in working.iterdir()] == ["runs"]
    run = working / "runs/walk"
    assert read(run)["status"] == "complete"
    assert_sound(run)
    (carried,) = (tmp_path / "there/cache/training-kit").glob("kit-*")
    assert (carried / "kit/__init__.py").is_file()
