"""The walk through attached inputs: level by level, bounded, and it says where it stopped."""

from pathlib import Path

from kit.harness import folders as folders_module
from kit.harness.folders import folders_below


def walked(root: Path, deepest: int = 8) -> list[str]:
    """Return the folders in the order in which they are looked at, below the root."""
    return [folder.relative_to(root).as_posix() for folder, _, _ in folders_below(root, deepest, "a run")]


def test_it_goes_level_by_level_and_by_name(tmp_path):
    """Whatever lies deep in the first folder comes after what lies near in the last."""
    for name in ("b/x/deep", "a/y", "c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a/two.txt").touch()
    (tmp_path / "a/one.txt").touch()
    assert walked(tmp_path) == [".", "a", "b", "c", "a/y", "b/x", "b/x/deep"]
    assert walked(tmp_path, deepest=1) == [".", "a", "b", "c"]
    assert [names for folder, _, names in folders_below(tmp_path, 1, "a run") if folder.name == "a"] == [
        ["one.txt", "two.txt"]
    ]


def test_what_is_taken_out_of_the_list_is_not_gone_into(tmp_path):
    """As with os.walk."""
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    (tmp_path / "other/inner").mkdir(parents=True)
    seen = []
    for folder, inner, _ in folders_below(tmp_path, 8, "a run"):
        seen.append(folder.name)
        if folder.name == "run":
            inner.clear()
    assert "inner" in seen
    assert "checkpoints" not in seen


def test_links_are_followed_in_the_root_alone(tmp_path):
    """An input may be mounted as one; a link inside of an input may lead anywhere, and round in a circle."""
    (tmp_path / "mounted/inner").mkdir(parents=True)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/input").symlink_to(tmp_path / "mounted")
    (tmp_path / "mounted/circle").symlink_to(tmp_path / "root")
    assert walked(tmp_path / "root") == [".", "input", "input/inner"]


def test_bounds_are_told(tmp_path, monkeypatch, caplog):
    """How many folders, how many names of one; and nothing is said where they are just not reached."""
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(folders_module, "MOST_FOLDERS", 4)
    assert len(walked(tmp_path)) == 4
    assert caplog.text == ""
    monkeypatch.setattr(folders_module, "MOST_FOLDERS", 3)
    assert walked(tmp_path) == [".", "a", "b"]
    assert "more than 3 folders: a run in the rest is not found" in caplog.text
    monkeypatch.setattr(folders_module, "MOST_NAMES", 2)
    assert len(walked(tmp_path)) == 3
    assert "more than 2 names: the rest is not seen" in caplog.text


def test_what_cannot_be_read_is_passed_over(tmp_path, caplog):
    """A root that is not there is an empty one, and the log says why."""
    assert walked(tmp_path / "gone") == ["."]
    assert "cannot be looked into" in caplog.text
