"""The command that builds a notebook for Colab."""

import json

import pytest

import validation_cli
from kit.notebooks.parameters import read_parameters
from tests.remote.building import walk_notebook


def test_the_command_builds_a_notebook_with_its_parameters_and_a_badge(tmp_path, monkeypatch, capsys):
    """Into the folder asked for, which is the badge's place; parameters that are options elsewhere can be set."""
    notebook = walk_notebook(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    words = [
        "colab",
        str(notebook),
        "--set",
        "seed=3",
        "--set",
        "out=there",
        "--repository",
        "me/kit",
        "--json",
    ]
    assert validation_cli.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    built = tmp_path / "colab/random_walk.ipynb"
    assert (told["notebook"], told["size_bytes"]) == ("colab/random_walk.ipynb", built.stat().st_size)
    found = {name: one.default for name, one in read_parameters(built).items()}
    assert (found["seed"], found["out"]) == (3, "there")
    assert "github/me/kit/blob/main/colab/random_walk.ipynb" in built.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--repository", "https://host/me"], "Legal: owner/name"), (["--set", "sed=3"], "Did you mean 'seed'")],
)
def test_a_bad_repository_or_parameter_is_refused(tmp_path, monkeypatch, capsys, words, told):
    """With exit code 2, and nothing is written."""
    notebook = walk_notebook(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert validation_cli.main(["colab", str(notebook), *words]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "colab").exists()
