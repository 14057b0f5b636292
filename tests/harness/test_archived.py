"""An archive that was made of a damaged run: every file of it has its own right sum, and is named all the same."""

import hashlib
import json

import pytest

from kit.harness import archive
from kit.harness.archive import package, verify
from kit.harness.checkpoints import CheckpointStore
from kit.harness.manifest import FileRecord
from kit.harness.verify import is_whole
from tests.harness.test_segments import Rows

FIRST = "checkpoints/step-000000003"
POLICY = "adapters/000003/weights"


def sum_of(data):
    """Return its SHA-256."""
    return hashlib.sha256(data).hexdigest()


def commit(store, step, policy):
    """Take a checkpoint that counts on a policy, and appends two rows to its log."""
    beside = [FileRecord(policy, 6, sum_of(b"policy"))]
    rows = [Rows((step - 3) * 2, (step - 2) * 2)]
    store.save(step, {"m.safetensors": b"m" * 20}, exact=True, append=rows, beside=beside)


@pytest.fixture
def made(tmp_path):
    """Two checkpoints that count on a policy and share a log's segment, and a best model of two files."""
    root = tmp_path / "run"
    (root / POLICY).parent.mkdir(parents=True)
    (root / POLICY).write_bytes(b"policy")
    store = CheckpointStore(root / "checkpoints", "h", keep=3)
    for step in (3, 4):
        commit(store, step, POLICY)
    (root / "best").mkdir()
    (root / "best/model.bin").write_bytes(b"best")
    (root / "best/scale.bin").write_bytes(b"scale")
    facts = {"file": "model.bin", "sha256": sum_of(b"best"), "beside": {"scale.bin": sum_of(b"scale")}}
    (root / "best/best.json").write_text(json.dumps(facts))
    return root, store


def flip(path):
    """Change a bit."""
    data = bytearray(path.read_bytes())
    data[1] ^= 1
    path.write_bytes(data)


NAMES = [
    f"{FIRST}/m.safetensors",
    f"{FIRST}/manifest.json",
    POLICY,
    "best/model.bin",
    "best/scale.bin",
    "segment",
]


@pytest.mark.parametrize("name", [*NAMES, "best/best.json"])
def test_what_was_damaged_before_it_was_archived_is_named(made, name):
    """In the archive alone, and in the run folder that holds it; whole, as it was made, the archive is."""
    run, _ = made
    if name == "segment":
        [segment] = (run / "checkpoints/segments").iterdir()
        name = segment.relative_to(run).as_posix()
    assert verify(package(run).path).ok
    flip(run / name)
    path = package(run).path
    found = verify(path)
    assert found.bad == [name]
    assert found.reasons[name]
    assert f"artifacts.zip/{name}" in verify(run).bad
    assert is_whole(path)
    flip(path)
    assert not is_whole(path)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_gone_before_the_archive_was_made_is_named(made, name):
    """A checkpoint's file, its manifest, its segment or its policy; a file of the best model."""
    run, _ = made
    if name == "segment":
        [segment] = (run / "checkpoints/segments").iterdir()
        name = segment.relative_to(run).as_posix()
    (run / name).unlink()
    assert verify(package(run).path).bad == [name]


def test_a_segment_that_others_appended_to_is_as_it_was(made):
    """Of the segment that both checkpoints share only a part belongs to the first; what follows is the second's."""
    run, _ = made
    [segment] = (run / "checkpoints/segments").iterdir()
    with segment.open("ab") as file:
        file.write(b"a row that was never committed")
    assert verify(package(run).path).ok


def test_a_session_that_writes_on_meanwhile_leaves_no_checkpoint_without_its_policy(made, monkeypatch):
    """A checkpoint and its policy that come after the first look at the folder are in the archive together, or not."""
    run, store = made
    look = archive.regular_files

    def look_and_go_on(folder):
        found = look(folder)
        if not (run / "adapters/000005").exists():
            (run / "adapters/000005").mkdir()
            (run / "adapters/000005/weights").write_bytes(b"policy")
            commit(store, 5, "adapters/000005/weights")
        return found

    monkeypatch.setattr(archive, "regular_files", look_and_go_on)
    assert verify(package(run).path).ok
