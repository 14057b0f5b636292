"""kaggle/: one folder a notebook, and nothing that would stand in the way of the package of that name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kit.notebooks.parameters import check_values, read_parameters
from kit.remote.metadata import check_slug, check_title, kernel_metadata
from kit.remote.settings import settings_of

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_every_notebook_has_a_folder_and_the_other_way_round():
    """By the notebook's name."""
    assert {path.name for path in (ROOT / "kaggle").iterdir()} == {path.stem for path in NOTEBOOKS}


def test_the_folder_is_no_package():
    """With an __init__.py, or as kaggle.py, it would be imported in place of Kaggle's own client."""
    assert not list((ROOT / "kaggle").rglob("*.py"))
    assert not (ROOT / "kaggle.py").exists()
    # import kaggle would look for credentials: where it would come from is enough.
    found = "import importlib.util as u; print(u.find_spec('kaggle').origin)"
    done = subprocess.run([sys.executable, "-c", found], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "site-packages" in done.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_template_is_what_is_built_from_it(notebook):
    """Private, without internet, of a title that becomes its slug; only the owner is filled in."""
    template = json.loads((ROOT / "kaggle" / notebook.stem / "kernel-metadata.json").read_text())
    owner, slug = template["id"].split("/")
    assert owner == "OWNER"
    made = kernel_metadata(("me", slug), template["title"], notebook.name, gpu=template["enable_gpu"])
    assert {**made, "id": template["id"]} == template


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_settings_are_parameters_of_the_notebook(notebook):
    """Defaults on Kaggle are of the types of the notebook's; what needs packages is a value of a parameter."""
    parameters, settings = read_parameters(notebook), settings_of(notebook)
    check_values(settings.values, parameters)
    assert {need["parameter"] for need in settings.needs} <= parameters.keys()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_data_set_for_checkpoints_keeps_kaggles_rules(notebook):
    """Slug and title of 6 to 50 characters."""
    data = json.loads((ROOT / "kaggle" / notebook.stem / "dataset-metadata.json").read_text())
    owner, slug = data["id"].split("/")
    assert owner == "OWNER"
    assert min(len(check_slug(slug)), len(check_title(data["title"], slug))) >= 6
    assert data["licenses"]
