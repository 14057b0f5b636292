from __future__ import annotations

from pathlib import Path

import pytest

from kit.errors import UnknownNameError
from kit.notebooks import find_notebook, notebook_names
from kit.notebooks.locate import repository_root


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two notebooks, which is the current one."""
    (tmp_path / "notebooks").mkdir()
    for name in ("traffic_signal", "self_play"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_finds_the_notebook_of_the_current_folder(project: Path) -> None:
    """A bare name, with or without its suffix, is looked up in notebooks/."""
    wanted = project / "notebooks" / "self_play.ipynb"
    assert find_notebook("self_play") == find_notebook("self_play.ipynb") == wanted.resolve()


def test_a_path_finds_any_notebook(project: Path) -> None:
    """A path to a file is taken as it is, and returned absolute."""
    other = project / "elsewhere.ipynb"
    other.write_text("{}", encoding="utf-8")
    assert find_notebook("elsewhere.ipynb") == find_notebook(other) == other.resolve()


def test_a_given_root_is_the_only_one_searched(project: Path, tmp_path: Path) -> None:
    """With a root of one's own the current folder's notebooks have no name."""
    empty = tmp_path / "empty"
    empty.mkdir()
    assert notebook_names(empty) == {}
    assert set(notebook_names(project)) == {"traffic_signal", "self_play"}


def test_an_unknown_name_is_answered_with_the_nearest(project: Path) -> None:
    """A misspelt notebook is an error that names the nearest one and lists them all."""
    with pytest.raises(UnknownNameError, match="traffic_signal") as caught:
        find_notebook("trafic_signal", project)
    assert caught.value.nearest == "traffic_signal"
    assert caught.value.legal == ["self_play", "traffic_signal"]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("missing", ["notebooks/nothing.ipynb", "sub/traffic_signal.ipynb", "", "notebooks"])
def test_a_path_that_is_no_notebook_is_an_error(project: Path, missing: str) -> None:
    """A path with no file behind it, or a folder, is refused rather than searched for by its last part."""
    with pytest.raises(UnknownNameError):
        find_notebook(missing, project)


def test_the_repository_root_holds_the_kit_package() -> None:
    """What goes onto a kernel's PYTHONPATH is the folder from which ``import kit`` works."""
    assert (repository_root() / "kit" / "__init__.py").is_file()
