"""Layer 1: a checkpoint exists only once committed, and loading takes the newest that verifies."""

import json
import os
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.errors import ConfigMismatchError, IntegrityError, StorageError, UsageError
from kit.harness.checkpoints import CheckpointStore
from kit.harness.manifest import MANIFEST, verify_checkpoint

FILES = {"model.safetensors": b"\x00\x01" * 50, "state.json": b'{"step": 1}'}


@pytest.fixture
def store(tmp_path):
    """A store of one configuration, its folder not made yet."""
    return CheckpointStore(tmp_path / "checkpoints", "hash-a")


def _folders(store):
    return sorted(path.name for path in store.root.iterdir())


def _flip(path, at=0):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_what_is_saved_is_loaded(store):
    """Bytes, views and writing functions all come back as the bytes they were."""
    contents = {
        "a.bin": b"abc",
        "b.bin": memoryview(bytearray(range(8))).cast("H"),
        "c.json": lambda file: file.write(b"{}"),
        "d.bin": bytearray(b""),
    }
    extra = {"rng": [1, 0.1, None], "best": float("-inf")}
    reference = store.save(12_000, contents, exact=True, extra=extra)
    assert reference == store.newest()
    assert (reference.step, reference.exact, reference.config_hash) == (12_000, True, "hash-a")
    assert reference.extra == extra
    assert store.load(reference) == {"a.bin": b"abc", "b.bin": bytes(range(8)), "c.json": b"{}", "d.bin": b""}
    assert reference.size_bytes == 13


def test_the_manifest_says_what_the_contract_says(store):
    """The folder is step-000012000; its manifest has schema, step, config_hash, exact and the files' sums."""
    reference = store.save(12_000, FILES, exact=False)
    manifest = json.loads((reference.path / MANIFEST).read_text())
    assert reference.path.name == "step-000012000"
    assert {"schema", "step", "config_hash", "exact", "files"} <= manifest.keys()
    assert [set(entry) for entry in manifest["files"]] == [{"name", "bytes", "sha256"}] * 2
    assert (manifest["step"], manifest["exact"]) == (12_000, False)


def test_a_writing_function_may_seek(store):
    """A function that goes back in its file (as zip writers do) gets the sums of what is there in the end."""

    def write(file):
        file.write(b"....end")
        file.seek(0)
        file.write(b"head")

    reference = store.save(1, {"a": write}, exact=True)
    assert store.load(reference)["a"] == b"headend"


def test_an_empty_store_has_no_checkpoint_and_makes_no_folder(store):
    """Asking for the newest where nothing was saved gives None and writes nothing (inputs are read-only)."""
    assert store.newest() is None
    assert list(store.refs()) == []
    assert not store.root.exists()


def test_the_two_newest_are_kept(store):
    """Older checkpoints go when a newer one is on disk."""
    for step in (100, 200, 300, 1_000_000_000):
        store.save(step, FILES, exact=True)
    assert _folders(store) == ["step-000000300", "step-1000000000"]
    assert store.newest().step == 1_000_000_000


def test_pruning_never_counts_a_broken_checkpoint(store):
    """With the second newest broken, the third is kept: two that verify are always there."""
    store.save(100, FILES, exact=True)
    store.save(200, FILES, exact=True)
    _flip(store.root / "step-000000200" / "model.safetensors")
    CheckpointStore(store.root, "hash-a").save(300, FILES, exact=True)
    assert _folders(store) == ["step-000000100", "step-000000300"]


def test_the_one_just_saved_is_never_pruned(store):
    """A checkpoint of an earlier step than those that stand (a run taken up from before) is kept."""
    store.save(100, FILES, exact=True)
    store.save(200, FILES, exact=True)
    store.save(50, FILES, exact=True)
    assert "step-000000050" in _folders(store)


def test_loading_walks_back_to_one_that_verifies(store):
    """A broken newest is passed over and reported with the reason; the one before is taken."""
    store.save(100, FILES, exact=True)
    store.save(200, FILES, exact=True)
    _flip(store.root / "step-000000200" / "state.json")
    skipped = []
    assert store.newest(lambda path, why: skipped.append((path.name, why))).step == 100
    assert [name for name, _ in skipped] == ["step-000000200"]
    assert "state.json has another SHA-256" in skipped[0][1]


@pytest.mark.parametrize(
    "damage", ["data gone", "manifest gone", "data short", "manifest empty", "data is a link"]
)
def test_every_kind_of_damage_is_passed_over(store, damage):
    """Missing, cut and replaced files are damage, never a crash and never a checkpoint."""
    path = store.save(100, FILES, exact=True).path
    model = path / "model.safetensors"
    if damage == "data gone":
        model.unlink()
    elif damage == "manifest gone":
        (path / MANIFEST).unlink()
    elif damage == "data short":
        model.write_bytes(model.read_bytes()[:-1])
    elif damage == "manifest empty":
        (path / MANIFEST).write_bytes(b"")
    else:
        moved = model.rename(store.root / "elsewhere")
        model.symlink_to(moved)
    assert store.newest() is None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_a_checkpoint_changes_unnoticed(tmp_path, data):
    """Any byte of any file, the manifest's blanks included, set to any other value is found."""
    store = CheckpointStore(tmp_path / "flips", "hash-a")
    path = store.save(7, FILES, exact=True, extra={"a": [1.5]}).path
    file = path / data.draw(st.sampled_from([*FILES, MANIFEST]))
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    file.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
    with pytest.raises(IntegrityError) as caught:
        verify_checkpoint(path)
    assert caught.value.bad == [f"{path.name}/{file.name}"]
    file.write_bytes(whole)
    verify_checkpoint(path)


def test_bytes_that_change_after_the_search_are_not_handed_out(store):
    """Loading checks the very bytes it returns, not those that were there when the checkpoint was found."""
    reference = store.save(100, FILES, exact=True)
    _flip(reference.path / "model.safetensors")
    with pytest.raises(IntegrityError, match=r"model\.safetensors"):
        store.load(reference)
    (reference.path / "model.safetensors").unlink()
    with pytest.raises(IntegrityError, match="cannot be read"):
        store.load(reference)


def test_a_good_one_of_the_same_step_stays(store):
    """Saving a step again leaves a verified checkpoint as it is, untouched."""
    first = store.save(100, FILES, exact=True)
    before = (first.path / MANIFEST).stat().st_mtime_ns
    assert store.save(100, {"other": b"x"}, exact=False) == first
    assert (first.path / MANIFEST).stat().st_mtime_ns == before


def test_a_broken_one_of_the_same_step_is_replaced(store):
    """Saving a step whose checkpoint is damaged puts the new one there."""
    path = store.save(100, FILES, exact=True).path
    _flip(path / "state.json")
    assert store.load(store.save(100, {"other": b"x"}, exact=True)) == {"other": b"x"}
    assert _folders(store) == ["step-000000100"]


def test_a_renamed_checkpoint_is_no_checkpoint(store):
    """The step is the manifest's: a folder of another step's name does not verify."""
    path = store.save(100, FILES, exact=True).path
    path.rename(path.with_name("step-000000900"))
    assert store.newest() is None


def test_another_configurations_checkpoints_are_refused_and_kept(store):
    """They are never loaded, never deleted, never overwritten, and come after any of this configuration's."""
    other = CheckpointStore(store.root, "hash-b")
    for step in (100, 200, 300, 400):
        other.save(step, FILES, exact=True)
    foreign = store.newest()
    assert (foreign.step, foreign.config_hash) == (400, "hash-b")
    with pytest.raises(ConfigMismatchError) as caught:
        store.load(foreign)
    assert caught.value.differences == {"config_hash": ("hash-b", "hash-a")}
    with pytest.raises(ConfigMismatchError):
        store.save(400, FILES, exact=True)
    for step in (10, 20, 30):
        store.save(step, FILES, exact=True)
    assert _folders(store) == [f"step-{step:09d}" for step in (20, 30, 300, 400)]
    skipped = []
    assert store.newest(lambda path, why: skipped.append(path.name)).step == 30
    assert skipped == ["step-000000400", "step-000000300"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc/x", ".hidden", MANIFEST, "a\nb", "a\\b", "x" * 201]
)
def test_names_stay_inside_the_checkpoint(store, name):
    """A file of a checkpoint has a plain name; anything else is refused before anything is written."""
    with pytest.raises(UsageError, match="Not a name"):
        store.save(1, {name: b""}, exact=True)
    assert not store.root.exists()


@pytest.mark.parametrize(("step", "extra"), [(-1, {}), (1, {"x": object()})])
def test_what_cannot_be_recorded_is_refused(store, step, extra):
    """A negative step and an extra that is not JSON are usage errors and leave nothing behind."""
    with pytest.raises(UsageError):
        store.save(step, FILES, exact=True, extra=extra)
    assert not store.root.exists() or _folders(store) == []


def test_at_least_one_is_kept(tmp_path):
    """A store that keeps none would lose the run."""
    with pytest.raises(UsageError):
        CheckpointStore(tmp_path, "h", keep=0)


def test_a_failure_while_saving_keeps_the_one_before(store):
    """A writer that fails (a full disk) is a StorageError, leaves no trace, and the previous one verifies."""
    store.save(100, FILES, exact=True)

    def full(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left") as caught:
        store.save(200, {"a": b"1", "b": full}, exact=True)
    assert caught.value.errno == 28
    assert _folders(store) == ["step-000000100"]
    assert store.newest().step == 100
    assert store.save(200, FILES, exact=True).step == 200


def test_left_overs_do_not_block_and_are_swept(store):
    """Half-written folders of dead processes, folders and files of other names: none is in the way."""
    store.save(100, FILES, exact=True)
    stale = store.root / f".step-000000200.{os.getpid()}.0123abcd.tmp"
    shutil.copytree(store.root / "step-000000100", stale)
    (store.root / "step-12").mkdir()
    (store.root / "notes.txt").write_text("mine")
    assert store.newest().step == 100
    store.save(200, FILES, exact=True)
    assert not stale.exists()
    assert "notes.txt" in _folders(store)
    assert store.newest().step == 200


def test_one_whose_manifest_cannot_be_read_goes_when_two_newer_ones_are_sound(store):
    """Nobody can load it, so it does not stay for ever; until then it is left for whoever may repair it."""
    path = store.save(100, FILES, exact=True).path
    (path / MANIFEST).write_bytes(b"{")
    store.save(200, FILES, exact=True)
    assert _folders(store) == ["step-000000100", "step-000000200"]
    store.save(300, FILES, exact=True)
    assert _folders(store) == ["step-000000200", "step-000000300"]


def test_pruning_keeps_the_newest_sound_one_only(store):
    """With the newest broken, the one before it is what is kept, and the bytes freed are told."""
    for step in (100, 200):
        store.save(step, FILES, exact=True)
    other = CheckpointStore(store.root, "hash-b").save(50, FILES, exact=True)
    _flip(store.root / "step-000000200" / "state.json")
    fresh = CheckpointStore(store.root, "hash-a")
    assert fresh.prune() > 100
    assert _folders(store) == [other.path.name, "step-000000100"]
    assert fresh.prune() == 0
