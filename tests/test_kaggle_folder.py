"""kaggle/: one folder a notebook, and nothing that would stand in the way of the package of that name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kit.notebooks.parameters import check_values, read_parameters
from kit.remote.kernel import KernelOrder, build_kernel
from kit.remote.metadata import check_slug, check_title, kernel_metadata
from kit.remote.push import wants_gpu
from kit.remote.settings import settings_of

ROOT = Path(__file__).resolve().parent.parent
GPU = "compute_budget"
"""The notebook that gets a GPU whatever its parameters are."""
SELF_PLAY = ROOT / "notebooks/self_play.ipynb"
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


def test_only_a_notebook_that_uses_a_gpu_gets_one():
    """GPU hours are counted while a session has them: for the probe, which measures the GPU that the run is to have."""
    gets = {path.stem for path in NOTEBOOKS if settings_of(path).metadata["enable_gpu"]}
    uses = {path.stem for path in NOTEBOOKS if '\\"cuda\\"' in path.read_text()}
    assert gets == uses == {GPU}


@pytest.mark.parametrize(
    ("values", "asked", "gets"),
    [
        ({}, None, False),
        ({"model": "tiny"}, None, False),
        ({"model": "Qwen/Qwen3-1.7B-Base"}, None, True),
        ({"model": "Qwen/Qwen3-1.7B-Base"}, False, False),
        ({}, True, True),
    ],
)
def test_self_play_gets_gpus_for_a_model_that_is_not_made_there(values, asked, gets):
    """None for the tiny one; who says what it gets is asked no further."""
    assert wants_gpu(KernelOrder(SELF_PLAY, "me", values, gpu=asked)) is gets


def test_the_gpus_that_a_model_needs_stand_in_what_is_pushed(tmp_path):
    """Two T4, as they are called there."""
    order = KernelOrder(SELF_PLAY, "me", {"model": "Qwen/Qwen3-1.7B-Base"})
    metadata = build_kernel(order, tmp_path / "kernel").metadata
    assert (metadata["enable_gpu"], metadata["machine_shape"]) == (True, "NvidiaTeslaT4")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_settings_are_parameters_of_the_notebook(notebook):
    """Defaults on Kaggle are of the types of the notebook's."""
    parameters, settings = read_parameters(notebook), settings_of(notebook)
    check_values(settings.values, parameters)
    check_values(settings.gpu_unless, parameters)
    assert (
        not settings.needs_gpu({name: one.default for name, one in parameters.items()})
        or notebook.stem == GPU
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_data_set_for_checkpoints_keeps_kaggles_rules(notebook):
    """Slug and title of 6 to 50 characters."""
    data = json.loads((ROOT / "kaggle" / notebook.stem / "dataset-metadata.json").read_text())
    owner, slug = data["id"].split("/")
    assert owner == "OWNER"
    assert min(len(check_slug(slug)), len(check_title(data["title"], slug))) >= 6
    assert data["licenses"]
