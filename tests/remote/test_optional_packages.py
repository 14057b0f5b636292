"""Packages that only some scenarios need: whether a notebook needs them, whatever it is called."""

import shutil

import pytest

from kit.remote.kernel import KernelOrder, build_kernel
from kit.remote.optional_packages import SUMO
from kit.traffic import scenarios
from tests.remote.building import walk_notebook

LOADS = "from kit.traffic import load_scenario"


@pytest.fixture(autouse=True)
def _nothing_travels(monkeypatch):
    """What is missing is looked at, and nothing else."""
    from kit.remote.carry import Carried
    from kit.remote.payload import Payload

    monkeypatch.setattr("kit.remote.kernel.carry", lambda missing: (Carried(), missing))
    monkeypatch.setattr("kit.remote.kernel.pack", lambda *_: Payload("", "0" * 64, "kit-0", 0))


def test_the_scenarios_named_are_those_of_sumo():
    """Each of them, and no other."""
    assert set(SUMO.values) == set(scenarios.SUMO)


@pytest.mark.parametrize(("scenario", "needs"), [("varying", False), ("cologne1", True)])
def test_a_copy_of_the_traffic_notebook_needs_sumo_for_its_scenarios_only(
    tmp_path, repository, scenario, needs
):
    """Under another name and in another folder, as in its own."""
    copy = shutil.copy(repository / "notebooks/traffic_signal.ipynb", tmp_path / "my_junction.ipynb")
    built = build_kernel(KernelOrder(copy, "me", {"scenario": scenario}), tmp_path / "built")
    assert {"libsumo", "sumo-rl"}.issubset(one.name for one in built.missing) == needs


@pytest.mark.parametrize(
    ("cell", "needs"),
    [
        (f"{LOADS}\nload_scenario('varying')", False),
        (f"{LOADS}\nload_scenario('cologne1')", True),
        (f"{LOADS}\nload_scenario('varying')  # or 'cologne1'", False),
        ("from kit.traffic.sumo_scenario import load", True),
        ("import libsumo", True),
    ],
)
def test_a_notebook_without_that_parameter_needs_what_its_cells_name(tmp_path, cell, needs):
    """A scenario by its name, or a module of the simulator."""
    notebook = walk_notebook(tmp_path / "mine", last=cell)
    built = build_kernel(KernelOrder(notebook, "me"), tmp_path / "built")
    assert ("libsumo" in {one.name for one in built.missing}) == needs
