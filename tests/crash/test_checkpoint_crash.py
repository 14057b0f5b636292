"""Checkpoints and archives under real kills and real faults: the newest acknowledged one always loads."""

import errno
import random
import signal
from pathlib import Path

import pytest

from kit.errors import StorageError
from kit.harness.archive import package, verify
from kit.harness.checkpoints import CheckpointStore
from kit.harness.store import is_temporary, sweep
from tests.crash.faults import (
    calls_of_the_last_save,
    kill_after,
    mounted,
    need_strace,
    remount,
    run_with_fault,
)
from tests.crash.saver import KINDS, last_saved

KIND = "checkpoint"
BOTH = pytest.mark.parametrize("kind", [KIND, "appending"])
"""Checkpoints of files alone, and those that also append to a log in segments of two rows each."""


def assert_resumable(kind: str, folder: Path, acknowledged: int) -> None:
    """The newest acknowledged checkpoint or its successor loads, and the folder verifies unswept.

    Then the next one saves, two are kept, nothing half-written is left, no segment that no manifest names, and the
    archive of it all is sound.
    """
    if (folder / "checkpoints").exists():
        assert verify(folder).bad == []
    saved = last_saved(kind, folder)
    assert acknowledged <= saved <= acknowledged + 1
    KINDS[kind](folder, saved + 1)
    assert last_saved(kind, folder) == saved + 1
    references = list(CheckpointStore(folder / "checkpoints", "h").refs())
    assert len(references) == len(list((folder / "checkpoints").glob("step-*"))) == min(2, saved + 1)
    named = {record.name for reference in references for record in reference.segments}
    assert {path.name for path in (folder / "checkpoints").glob("segments/*")} == named
    assert not [path for path in folder.rglob("*") if is_temporary(path.name)]
    assert verify(package(folder).path).ok


def assert_survives_a_kill_at(kind: str, folder: Path, call: str, when: int, count: int) -> None:
    """A process killed at that system call of its ``count``-th save leaves a run that resumes."""
    folder.mkdir()
    killed = run_with_fault(need_strace(), kind, folder, count, call, f"signal=KILL:when={when}")
    assert killed.returncode == -signal.SIGKILL
    assert_resumable(kind, folder, len(killed.stdout.split()))


@BOTH
def test_killed_at_random_during_continuous_saving(tmp_path, kind):
    """Killed three times over in the same folder, the run resumes from the newest acknowledged checkpoint."""
    rng = random.Random(3)
    for _ in range(3):
        assert_resumable(kind, tmp_path, kill_after(kind, tmp_path, rng.randint(1, 8)))


@pytest.mark.slow
@BOTH
def test_killed_at_random_fifty_times(tmp_path, kind):
    """As above, fifty times over."""
    rng = random.Random(50)
    for _ in range(50):
        assert_resumable(kind, tmp_path, kill_after(kind, tmp_path, rng.randint(1, 25)))


def test_killed_at_the_calls_that_matter(tmp_path):
    """Killed at the commit, at the sync of the folder after, and while an old one is deleted: all resume."""
    folder = tmp_path / "traced"
    folder.mkdir()
    points = calls_of_the_last_save(need_strace(), KIND, folder, 4)
    renames = [point for point in points if point[0] == "rename"]
    syncs = [point for point in points if point[0] == "fsync"]
    deletions = [point for point in points if point[0] in ("unlinkat", "rmdir")]
    assert (len(renames), len(syncs), len(deletions)) == (2, 5, 4)
    for index, (call, when) in enumerate([*renames, syncs[0], syncs[-1], deletions[1], deletions[-1]]):
        assert_survives_a_kill_at(KIND, tmp_path / str(index), call, when, 4)


def test_killed_at_the_calls_of_an_append(tmp_path):
    """Killed while a row is written and synced, and while a segment that is past is deleted: all resume."""
    folder = tmp_path / "traced"
    folder.mkdir()
    points = calls_of_the_last_save(need_strace(), "appending", folder, 8)
    written = next(point for point in points if point[0] == "write")
    synced = next(point for point in points if point[0] == "fsync")
    deleted = next(point for point in points if point[0] == "unlink")
    for index, (call, when) in enumerate((written, synced, deleted)):
        assert_survives_a_kill_at("appending", tmp_path / str(index), call, when, 8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count"), [(KIND, 1), (KIND, 4), *(("appending", count) for count in (1, 2, 7, 8))]
)
def test_killed_at_every_file_call(tmp_path, kind, count):
    """Killed at each file system call of that save in turn, every run resumes.

    The first append makes the folder, the second goes on in its file, the seventh begins a new one, and after the
    eighth an old one is deleted.
    """
    folder = tmp_path / "traced"
    folder.mkdir()
    points = calls_of_the_last_save(need_strace(), kind, folder, count)
    assert len(points) >= 15
    for index, (call, when) in enumerate(points):
        assert_survives_a_kill_at(kind, tmp_path / f"{count}-{index}", call, when, count)


def assert_survives_a_failure_at(
    kind: str, tmp_path: Path, name: str, call: str, when: int, error: str
) -> None:
    """The save at which a call fails ends with a StorageError and leaves nothing half-written; the run resumes."""
    folder = tmp_path / name
    folder.mkdir()
    failed = run_with_fault(need_strace(), kind, folder, 3, call, f"error={error}:when={when}")
    assert failed.returncode == 1
    assert "StorageError" in failed.stderr
    assert not [path for path in folder.rglob("*") if is_temporary(path.name)]
    assert_resumable(kind, folder, 2)


@BOTH
def test_a_failed_fsync_and_a_full_disk_keep_the_checkpoints_before(tmp_path, kind):
    """EIO at the first fsync, ENOSPC at the first write: an error, no trace, the one before loads."""
    folder = tmp_path / "traced"
    folder.mkdir()
    points = calls_of_the_last_save(need_strace(), kind, folder, 3)
    for call, error in (("fsync", "EIO"), ("write", "ENOSPC")):
        assert_survives_a_failure_at(
            kind, tmp_path, call, call, next(number for name, number in points if name == call), error
        )


@pytest.mark.slow
@BOTH
def test_every_failed_fsync_write_and_rename(tmp_path, kind):
    """Each fsync, write and rename up to the commit of a save failing in turn, the run resumes every time."""
    folder = tmp_path / "traced"
    folder.mkdir()
    points = calls_of_the_last_save(need_strace(), kind, folder, 3)
    commit = next(index for index, (call, _) in enumerate(points) if call == "rename")
    for index, (call, when) in enumerate(points[: commit + 2]):
        if call in ("fsync", "write", "rename"):
            assert_survives_a_failure_at(
                kind, tmp_path, str(index), call, when, "ENOSPC" if call == "write" else "EIO"
            )


def test_a_full_and_then_read_only_disk(tmp_path):
    """Real ENOSPC and EROFS: a StorageError each time, and the newest checkpoint loads throughout."""
    with mounted(tmp_path / "disk", "size=256k") as disk:
        store = CheckpointStore(disk / "checkpoints", "h")
        KINDS[KIND](disk, 1)
        with pytest.raises(StorageError) as full:
            store.save(2, {"model.bin": bytes(2**20)}, exact=True)
        assert full.value.errno == errno.ENOSPC
        assert last_saved(KIND, disk) == 1
        KINDS[KIND](disk, 2)
        remount(disk, "ro")
        with pytest.raises(StorageError) as read_only:
            KINDS[KIND](disk, 3)
        assert read_only.value.errno == errno.EROFS
        with pytest.raises(StorageError):
            package(disk)
        assert sweep(disk) == []
        assert last_saved(KIND, disk) == 2
        assert verify(disk).ok
