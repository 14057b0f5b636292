"""What the Kaggle image has, what a notebook misses there, and what can travel instead."""

import json
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kit.errors import MissingDependencyError
from kit.notebooks.document import Document
from kit.remote.carry import carry
from kit.remote.image import Missing, admits, image, missing_in_image, refuse_missing
from kit.remote.imports import modules_of


def notebook(path: Path, source: str) -> Document:
    """Return a notebook of one cell."""
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source}], "nbformat": 4}))
    return Document.read(path)


def test_the_list_of_the_image_says_where_it_is_from():
    """Packages by version, with a date and the files that they were read from."""
    facts = image()
    assert facts["as_of"]
    assert len(facts["from"]) == 3
    assert facts["packages"]["gymnasium"] == "1.2.0"
    assert "stable-baselines3" not in facts["packages"]


def test_the_constraints_of_the_image_agree_with_the_list():
    """Gymnasium is the one that moves: both name the same version of it."""
    text = (Path(__file__).parents[2] / "constraints-kaggle.txt").read_text()
    assert f"gymnasium=={image()['packages']['gymnasium']}\n" in text


@pytest.mark.parametrize(
    ("requirement", "there"),
    [
        ("numpy>=1.26", True),
        ("numpy>=99", False),
        ("papermill", True),
        ("no-such-thing", False),
        ("PyYAML", True),
    ],
)
def test_a_requirement_is_admitted_by_name_and_version(requirement, there):
    """A package of which no version is known counts as recent enough."""
    assert admits(Requirement(requirement)) == there


def test_modules_are_found_at_any_depth_and_through_the_kit(tmp_path, repository):
    """In functions, in magic's neighbourhood, through kit; not those of types, of the standard library, or the kit."""
    source = """%matplotlib inline
import os, requests.sessions
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import unseen
if os.name:
    from lightgbm import train
from kit.sb3 import learn"""
    found = modules_of(notebook(tmp_path / "n.ipynb", source), repository)
    assert {"requests", "lightgbm", "stable_baselines3", "torch", "numpy", "psutil"} <= found
    assert not {"unseen", "os", "typing", "kit"} & found


def test_what_is_missing_is_named_with_what_is_asked_for(tmp_path):
    """By the names of packages, not modules; a package that is too old is told with both versions."""
    (tmp_path / "requirements.txt").write_text("psutil>=99\nstable-baselines3>=2.7\n")
    missing = missing_in_image(
        {"psutil", "stable_baselines3", "numpy"}, tmp_path / "requirements.txt", ["libsumo"]
    )
    assert [str(one) for one in missing] == [
        "libsumo",
        f"psutil (the image has {image()['packages']['psutil']}, psutil>=99 is asked for)",
        "stable-baselines3>=2.7",
    ]


def test_a_package_of_nothing_but_python_travels():
    """stable-baselines3 asks for nothing that the image has not; its files come, compiled ones do not."""
    carried, missing = carry([Missing("stable-baselines3", "stable-baselines3>=2.7")])
    assert missing == []
    assert list(carried.versions) == ["stable-baselines3"]
    assert "stable-baselines3/stable_baselines3/dqn/dqn.py" in carried.files
    assert any(name.endswith(".dist-info/METADATA") for name in carried.files)
    assert any("LICENSE" in name for name in carried.files)
    assert not [name for name in carried.files if name.endswith(".pyc")]


@pytest.mark.parametrize(
    "one", [Missing("numba", "numba"), Missing("no-such-thing", "no-such-thing"), Missing("six", "six>=99")]
)
def test_what_is_compiled_absent_or_too_old_here_stays_missing(one):
    """It is named, and can be attached."""
    carried, missing = carry([one])
    assert missing == [one]
    assert carried.files == {}


def test_missing_packages_are_refused_with_the_way_out():
    """The message names each, the command that collects wheels, and that a data set is attached; with one it passes."""
    missing = [Missing("libsumo", "libsumo"), Missing("sumo-rl", "sumo-rl>=1.4")]
    with pytest.raises(MissingDependencyError, match=r"--dest wheels libsumo sumo-rl\)"):
        refuse_missing(missing)
    refuse_missing(missing, attached=["me/wheels-of-sumo"])
    refuse_missing([])
