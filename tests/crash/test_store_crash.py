"""Files, directories and rows under real kills and faults: what was acknowledged is there, and no more."""

import errno
import random
import resource
import signal
import subprocess
from io import FileIO
from pathlib import Path

import pytest

from kit.errors import StorageError
from kit.harness.rows import AppendOnlyRows
from kit.harness.store import is_temporary, sweep
from tests.crash.faults import (
    calls_of_the_last_save,
    command,
    kill_after,
    mounted,
    need_strace,
    remount,
    run_with_fault,
)
from tests.crash.saver import KINDS, content, last_saved

STORED = ["file", "directory", "row", "wider"]


def assert_intact_and_usable(kind: str, folder: Path, acknowledged: int) -> None:
    """Every acknowledged save is there, at most one more; the next save works and leaves no temporary."""
    sweep(folder)
    saved = last_saved(kind, folder)
    assert acknowledged <= saved <= acknowledged + 1
    KINDS[kind](folder, saved + 1)
    assert last_saved(kind, folder) == saved + 1
    assert not [path for path in folder.rglob("*") if is_temporary(path.name)]


def assert_survives_a_kill_at(kind: str, folder: Path, call: str, when: int, count: int) -> None:
    """A process killed at that system call of its ``count``-th save loses nothing acknowledged."""
    folder.mkdir()
    killed = run_with_fault(need_strace(), kind, folder, count, call, f"signal=KILL:when={when}")
    assert killed.returncode == -signal.SIGKILL
    assert_intact_and_usable(kind, folder, len(killed.stdout.split()))


@pytest.mark.parametrize("kind", STORED)
def test_killed_at_random_during_continuous_saving(tmp_path, kind):
    """Killed twice in one folder at whatever instruction it has come to, nothing acknowledged is lost."""
    rng = random.Random(kind)
    before = 0
    for _ in range(2):
        acknowledged = kill_after(kind, tmp_path, rng.randint(1, 12))
        assert acknowledged > before
        assert_intact_and_usable(kind, tmp_path, acknowledged)
        before = last_saved(kind, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORED)
def test_killed_at_random_twenty_five_times(tmp_path, kind):
    """As above, 25 times over in one folder."""
    rng = random.Random(kind)
    for _ in range(25):
        acknowledged = kill_after(kind, tmp_path, rng.randint(1, 25))
        assert_intact_and_usable(kind, tmp_path, acknowledged)


@pytest.mark.parametrize(
    ("kind", "calls"), [("file", {"fsync", "rename"}), ("directory", {"renameat2", "rmdir"})]
)
def test_killed_at_the_calls_that_matter(tmp_path, kind, calls):
    """Killed right before the syncs and renames of a save, the save before stands."""
    points = calls_of_the_last_save(need_strace(), kind, _made(tmp_path / "traced"), 3)
    chosen = [point for point in points if point[0] in calls]
    assert {call for call, _ in chosen} == calls
    for index, (call, when) in enumerate(chosen):
        assert_survives_a_kill_at(kind, tmp_path / str(index), call, when, 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORED)
def test_killed_at_every_file_call(tmp_path, kind):
    """Killed at each file system call of the first and of the fourth save in turn, nothing is lost."""
    for count in (1, 4):
        points = calls_of_the_last_save(need_strace(), kind, _made(tmp_path / f"traced{count}"), count)
        assert len(points) >= 4
        for index, (call, when) in enumerate(points):
            assert_survives_a_kill_at(kind, tmp_path / f"{count}-{index}", call, when, count)


@pytest.mark.parametrize(
    ("kind", "call", "error"),
    [("file", "fsync", "EIO"), ("file", "write", "ENOSPC"), ("row", "write", "ENOSPC")],
)
def test_a_failing_call_is_a_storage_error_and_keeps_what_was_there(tmp_path, kind, call, error):
    """A failed fsync and a full disk are a StorageError that names the file; the saves before stay."""
    points = calls_of_the_last_save(need_strace(), kind, _made(tmp_path / "traced"), 3)
    when = next(number for name, number in points if name == call)
    failed = run_with_fault(
        need_strace(), kind, _made(tmp_path / "run"), 3, call, f"error={error}:when={when}"
    )
    assert failed.returncode == 1
    assert "StorageError" in failed.stderr
    assert str(tmp_path / "run") in failed.stderr.splitlines()[-1]
    assert not [path for path in (tmp_path / "run").iterdir() if is_temporary(path.name)]
    assert last_saved(kind, tmp_path / "run") == 2
    assert_intact_and_usable(kind, tmp_path / "run", 2)


def test_a_file_size_limit_does_not_cost_the_file_that_is_there(tmp_path):
    """With RLIMIT_FSIZE below the size of the new file the old one stays whole."""
    KINDS["file"](tmp_path, 1)
    limited = subprocess.run(
        command("file", tmp_path, 1),
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000)),
    )
    assert limited.returncode == 1
    assert "StorageError" in limited.stderr
    assert_intact_and_usable("file", tmp_path, 1)


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_full_disk(tmp_path, kind):
    """On a file system without room a save is a StorageError and the one before stays; with room it works."""
    with mounted(tmp_path / "disk", "size=64k") as disk:
        KINDS[kind](disk, 1)
        ballast = _fill(disk)
        with pytest.raises(StorageError) as caught:
            KINDS[kind](disk, 2)
        assert caught.value.errno == errno.ENOSPC
        assert last_saved(kind, disk) == 1
        ballast.unlink()
        assert_intact_and_usable(kind, disk, 1)


def test_rows_on_a_full_disk(tmp_path):
    """Rows stop at the first that does not fit, whole to the last; with room again the same row follows."""
    with mounted(tmp_path / "disk", "size=64k") as disk, AppendOnlyRows(disk / "m.csv", ["text"]) as rows:
        rows.append({"step": 1, "text": "x" * 999})
        ballast = _fill(disk)
        step = _append_until_full(rows)
        assert [row["step"] for row in rows.rows()] == list(range(1, step))
        assert (disk / "m.csv").read_bytes().endswith(b"x\n")
        ballast.unlink()
        rows.append({"step": step, "text": "again"})
        assert rows.last_step == step


def test_a_read_only_disk(tmp_path):
    """Once the file system turns read-only every way of writing is a StorageError, and reading goes on."""
    with mounted(tmp_path / "disk", "size=256k") as disk:
        for kind in ("file", "directory", "row"):
            KINDS[kind](disk, 1)
        remount(disk, "ro")
        for kind in ("file", "directory", "row"):
            with pytest.raises(StorageError) as caught:
                KINDS[kind](disk, 2)
            assert caught.value.errno == errno.EROFS
        assert [last_saved(kind, disk) for kind in ("file", "directory")] == [1, 1]


def _append_until_full(rows: AppendOnlyRows) -> int:
    for step in range(2, 200):
        try:
            rows.append({"step": step, "text": "x" * 999})
        except StorageError:
            return step
    raise AssertionError("the disk never filled")


def _fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        _write_for_ever(file)
    return ballast


def _write_for_ever(file: FileIO) -> None:
    while file.write(bytes(512)):
        pass


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_the_saver_proves_its_content():
    """What these tests rely on: a content cut or mixed from two is told from a whole one."""
    from tests.crash.saver import number_of

    one, two = content(1), content(2)
    assert number_of(one) == 1
    for torn in (one[:-1], one[:1_000] + two[1_000:], b""):
        with pytest.raises(AssertionError):
            number_of(torn)
