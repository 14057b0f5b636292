"""What is built to be pushed: one self-contained notebook and its metadata, or a refusal that names the fault."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import UnknownNameError, UsageError
from kit.notebooks.document import Document
from kit.notebooks.parameters import read_parameters
from kit.remote.first_cell import TAG
from kit.remote.kernel import LARGEST, KernelOrder, build_kernel
from kit.remote.payload import pack
from tests.crash.runs import contents
from tests.remote.building import bare_environment, walk_notebook


@pytest.fixture(autouse=True)
def _packed_once(monkeypatch, packed):
    """Packing takes a second: what does not look at the payload shares one."""
    monkeypatch.setattr(
        "kit.remote.kernel.pack", lambda site, files: packed if not site and not files else pack(site, files)
    )


@pytest.fixture(scope="session")
def packed():
    """The kit alone, packed."""
    return pack()


@pytest.fixture
def notebook(tmp_path):
    """A notebook of its own, outside of the repository."""
    return walk_notebook(tmp_path / "mine")


def first_cell_of(path: Path) -> str:
    """Return the source of the cell that carries the kit."""
    (cell,) = Document.read(path).tagged(TAG)
    assert cell.index == 0
    return cell.source


def test_a_built_folder_holds_metadata_and_one_notebook(tmp_path, notebook):
    """The address is the owner's, the parameters are set, old outputs are gone, the rest is as it was."""
    order = KernelOrder(notebook, "me", {"steps": 50}, kernel_sources=("me/random-walk",), gpu=True)
    built = build_kernel(order, tmp_path / "built")
    assert sorted(path.name for path in built.folder.iterdir()) == [
        "kernel-metadata.json",
        "random_walk.ipynb",
    ]
    metadata = json.loads((built.folder / "kernel-metadata.json").read_text())
    assert metadata == built.metadata
    assert (metadata["id"], metadata["title"]) == ("me/random-walk", "Random walk")
    assert metadata["code_file"] == built.notebook.name
    assert (metadata["enable_gpu"], metadata["enable_internet"], metadata["is_private"]) == (
        True,
        False,
        True,
    )
    assert built.size_bytes == built.notebook.stat().st_size <= LARGEST
    defaults = {name: one.default for name, one in read_parameters(built.notebook).items()}
    assert (defaults["steps"], defaults["seed"]) == (50, 1)
    document = Document.read(built.notebook)
    assert [cell.outputs for cell in document.cells] == [0] * 6
    assert [cell.source for cell in document.cells[3:]] == [
        cell.source for cell in Document.read(notebook).cells[2:]
    ]


def test_a_built_notebook_is_a_valid_one(tmp_path, notebook):
    """By nbformat's own validator."""
    import nbformat

    built = build_kernel(KernelOrder(notebook, "me"), tmp_path / "built")
    nbformat.validate(nbformat.read(built.notebook, as_version=4))


def test_the_real_notebook_is_small_and_carries_what_the_image_lacks(tmp_path, repository):
    """traffic_signal: on the embedded scenario, with stable-baselines3 in it, in at most 1 MB; nothing is missing."""
    built = build_kernel(KernelOrder(repository / "notebooks/traffic_signal.ipynb", "me"), tmp_path / "built")
    assert built.size_bytes <= LARGEST
    assert built.missing == ()
    assert list(built.carried) == ["stable-baselines3"]
    assert read_parameters(built.notebook)["scenario"].default == "varying"
    assert built.metadata["id"] == "me/traffic-signal"


def test_a_scenario_that_needs_sumo_names_what_is_missing(tmp_path, repository, monkeypatch):
    """The compiled simulator cannot travel: it is named before the push."""
    monkeypatch.setattr("kit.remote.kernel.carry", lambda missing: (pack_nothing(), missing))
    order = KernelOrder(repository / "notebooks/traffic_signal.ipynb", "me", {"scenario": "cologne1"})
    built = build_kernel(order, tmp_path / "built")
    assert {"libsumo", "eclipse-sumo", "sumo-rl"} <= {one.name for one in built.missing}


def pack_nothing():
    """Return nothing that travels."""
    from kit.remote.carry import Carried

    return Carried()


def test_the_first_cell_unpacks_the_kit_once_in_an_empty_folder(tmp_path, notebook):
    """With nothing of the repository on the path; a second time nothing is unpacked; a damaged one is refused."""
    built = build_kernel(KernelOrder(notebook, "me", {"seed": 3}), tmp_path / "built")
    working = tmp_path / "kaggle/working"
    working.mkdir(parents=True)
    source = first_cell_of(built.notebook)
    said = "\nimport kit, os\nprint(kit.__file__, os.environ['KIT_PARAMETERS'], sep='\\n')"
    environment = bare_environment(tmp_path, KAGGLE_KERNEL_RUN_TYPE="Batch", KIT_BEGAN="1.0")

    def run(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "cell.py").write_text(text)
        command = [sys.executable, "-I", str(tmp_path / "cell.py")]
        return subprocess.run(
            command, cwd=working, env=environment, capture_output=True, text=True, check=False
        )

    done = run(source + said)
    assert done.returncode == 0, done.stderr
    place, parameters = done.stdout.splitlines()
    (unpacked,) = (tmp_path / "kaggle").glob("kit-*")
    assert Path(place) == unpacked / "kit/__init__.py"
    assert json.loads(parameters) == {"seed": 3}
    assert list(working.iterdir()) == []
    before = contents(unpacked / "kit/remote")
    assert run(source + said).stdout == done.stdout
    assert contents(unpacked / "kit/remote") == before
    middle = source.index('_kit_payload = """') + 2_000
    assert source[middle] != "A"
    damaged = run(source[:middle] + "A" + source[middle + 1 :])
    assert "its SHA-256 is not what was written" in damaged.stderr


def test_the_same_order_builds_the_same_bytes(tmp_path, notebook):
    """So what is pushed again unpacks into the folder that is there."""
    first = build_kernel(KernelOrder(notebook, "me"), tmp_path / "first")
    second = build_kernel(KernelOrder(notebook, "me"), tmp_path / "second")
    assert first.notebook.read_bytes() == second.notebook.read_bytes()


def test_a_build_is_replaced_and_other_files_are_not(tmp_path, notebook):
    """A folder with anything else in it is refused untouched."""
    order = KernelOrder(notebook, "me")
    build_kernel(order, tmp_path / "built")
    build_kernel(order, tmp_path / "built")
    (tmp_path / "built/notes.txt").write_text("mine")
    before = contents(tmp_path / "built")
    with pytest.raises(UsageError, match=r"something else than an earlier build: notes\.txt"):
        build_kernel(order, tmp_path / "built")
    assert contents(tmp_path / "built") == before


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"values": {"sted": 2}}, UnknownNameError, "Did you mean 'seed'"),
        ({"values": {"seed": "2"}}, UsageError, "wants int"),
        ({"slug": "Walk"}, UsageError, "Not a slug for Kaggle: 'Walk'"),
        ({"title": "Walks"}, UsageError, "becomes the slug 'walks'"),
        ({"owner": ""}, UsageError, "Not the owner"),
        ({"dataset_sources": ("wheels",)}, UsageError, "Not a dataset source: 'wheels'"),
        ({"options": {"trusted": True}}, UnknownNameError, "Did you mean 'trust'"),
        ({"options": {"on_pressure": "shrink"}}, UnknownNameError, "on_pressure"),
        ({"options": {"session_limit": 60}, "session_limit_s": 60}, UsageError, "given twice"),
        ({"session_limit_s": 0.0}, UsageError, "longer than zero"),
        ({"values": {"note": "hf_" + "aB3" * 11}}, UsageError, "looks like a Hugging Face token"),
    ],
)
def test_what_cannot_be_built_is_refused_and_nothing_is_written(tmp_path, changes, error, told):
    """Each refusal names the value and the rule."""
    order = {"notebook": walk_notebook(tmp_path / "mine", parameters='note = ""\n'), "owner": "me", **changes}
    with pytest.raises(error, match=told):
        build_kernel(KernelOrder(**order), tmp_path / "built")
    assert not (tmp_path / "built").exists()


def test_a_file_that_a_parameter_names_travels(tmp_path, monkeypatch):
    """It lies at the same place in the working folder there; a path out of the folder is refused, as is a large one."""
    notebook = walk_notebook(tmp_path / "mine", parameters='counts = ""\n')
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/counts.csv").write_text("hour,north\n0,600\n")
    seen: dict[str, Path] = {}
    monkeypatch.setattr("kit.remote.kernel.pack", lambda site, files: seen.update(files) or pack_small())
    build_kernel(KernelOrder(notebook, "me", {"counts": "data/counts.csv"}), tmp_path / "built")
    assert seen == {"data/counts.csv": tmp_path / "data/counts.csv"}
    with pytest.raises(UsageError, match="would not be found on another machine"):
        build_kernel(
            KernelOrder(notebook, "me", {"counts": str(tmp_path / "data/counts.csv")}), tmp_path / "built"
        )
    (tmp_path / "data/counts.csv").write_bytes(bytes(2_000_001))
    with pytest.raises(UsageError, match="too large to travel"):
        build_kernel(KernelOrder(notebook, "me", {"counts": "data/counts.csv"}), tmp_path / "built")


def test_a_module_beside_the_notebook_travels(tmp_path, monkeypatch):
    """It is no package that a registry would have."""
    notebook = walk_notebook(tmp_path / "mine", last="import my_own_helper")
    (tmp_path / "mine/my_own_helper.py").write_text("")
    seen: dict[str, Path] = {}
    monkeypatch.setattr("kit.remote.kernel.pack", lambda site, files: seen.update(files) or pack_small())
    built = build_kernel(KernelOrder(notebook, "me"), tmp_path / "built")
    assert seen == {"my_own_helper.py": tmp_path / "mine/my_own_helper.py"}
    assert built.missing == ()
    (tmp_path / "mine/my_own_helper.py").unlink()
    built = build_kernel(KernelOrder(notebook, "me"), tmp_path / "built")
    assert [one.name for one in built.missing] == ["my-own-helper"]


def pack_small():
    """Return a payload of no content."""
    from kit.remote.payload import Payload

    return Payload("", "0" * 64, "kit-0", 0)


def test_a_notebook_that_would_be_too_large_is_refused(tmp_path, notebook, monkeypatch):
    """Kaggle refuses it only once it is uploaded."""
    monkeypatch.setattr("kit.remote.kernel.LARGEST", 10_000)
    with pytest.raises(UsageError, match="10,000 are allowed"):
        build_kernel(KernelOrder(notebook, "me"), tmp_path / "built")
