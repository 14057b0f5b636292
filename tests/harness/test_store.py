"""Atomic files, committed directories, and what killed processes leave behind."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import KitError, StorageError
from kit.harness import store
from kit.harness.store import (
    atomic_file,
    atomic_write,
    committed_directory,
    is_temporary,
    regular_files,
    sha256_file,
    sweep,
)

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 70_000, "Grüße\n"])
def test_atomic_write_writes_what_it_is_given(tmp_path, data):
    """Bytes as they are, text as UTF-8, and no temporary is left."""
    atomic_write(tmp_path / "a.bin", b"before")
    atomic_write(tmp_path / "a.bin", data)
    assert (tmp_path / "a.bin").read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert _names(tmp_path) == ["a.bin"]


def test_atomic_write_gives_the_permissions_of_any_other_file(tmp_path):
    """A file written atomically is as readable as one written plainly: the umask decides."""
    (tmp_path / "plain").write_bytes(b"")
    atomic_write(tmp_path / "atomic", b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_exception_while_writing_keeps_the_old_file(tmp_path):
    """Whatever the writer raises surfaces as it is; the old file stays and the temporary goes."""
    atomic_write(tmp_path / "a", b"old")
    with pytest.raises(TypeError), atomic_file(tmp_path / "a") as file:
        file.writelines([b"half of the new", "no bytes"])
    assert (tmp_path / "a").read_bytes() == b"old"
    assert _names(tmp_path) == ["a"]


def test_a_failed_write_names_the_path(tmp_path):
    """A folder that is not there is a StorageError (so a KitError and an OSError) that names the path."""
    target = tmp_path / "nowhere" / "a"
    with pytest.raises(StorageError, match="nowhere/a") as caught:
        atomic_write(target, b"x")
    assert isinstance(caught.value, KitError)
    assert caught.value.errno == errno.ENOENT


def test_a_directory_in_the_way_is_an_error_and_stays(tmp_path):
    """atomic_write never replaces a directory, and cleans up after itself."""
    (tmp_path / "a").mkdir()
    with pytest.raises(StorageError):
        atomic_write(tmp_path / "a", b"x")
    assert _names(tmp_path) == ["a"]


def test_a_failed_fsync_discards_the_temporary_and_is_not_retried(tmp_path, monkeypatch):
    """After one failed fsync the descriptor is never synced again, and the old file is untouched."""
    atomic_write(tmp_path / "a", b"old")
    calls = []

    def failing(descriptor):
        calls.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(StorageError, match="intact"):
        atomic_write(tmp_path / "a", b"new")
    assert len(calls) == 1
    assert (tmp_path / "a").read_bytes() == b"old"
    assert _names(tmp_path) == ["a"]


def test_a_folder_that_cannot_be_synced_is_tolerated_only_where_that_is_normal(tmp_path, monkeypatch):
    """File systems that know no fsync of folders (EINVAL) are fine; a failing one (EIO) is an error."""
    real = os.fsync

    def fsync_failing_on_folders(number):
        def fsync(descriptor):
            if Path(f"/proc/self/fd/{descriptor}").is_dir():
                raise OSError(number, os.strerror(number))
            real(descriptor)

        return fsync

    monkeypatch.setattr(os, "fsync", fsync_failing_on_folders(errno.EINVAL))
    atomic_write(tmp_path / "a", b"1")
    monkeypatch.setattr(os, "fsync", fsync_failing_on_folders(errno.EIO))
    with pytest.raises(StorageError, match="is written, but its folder"):
        atomic_write(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"2"


def test_a_committed_directory_appears_whole(tmp_path):
    """Nothing stands at the final name until the block is left, then all of it."""
    final = tmp_path / "d"
    with committed_directory(final) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a").write_text("1")
        assert not final.exists()
    assert (final / "sub" / "a").read_text() == "1"
    assert _names(tmp_path) == ["d"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_committed_directory_replaces_a_full_one(tmp_path, monkeypatch, can_exchange):
    """The old directory goes only once the new one stands, with and without an atomic exchange."""
    if not can_exchange:
        monkeypatch.setattr(store, "_exchange", lambda one, other: False)
    for text in ("1", "2"):
        with committed_directory(tmp_path / "d") as folder:
            (folder / text).write_text(text)
    assert _names(tmp_path) == ["d"]
    assert _names(tmp_path / "d") == ["2"]


def test_an_exception_while_filling_keeps_the_old_directory(tmp_path):
    """A directory half filled never becomes the final one and leaves nothing behind."""
    with committed_directory(tmp_path / "d") as folder:
        (folder / "a").write_text("old")

    def interrupted(folder):
        (folder / "a").write_text("new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), committed_directory(tmp_path / "d") as folder:
        interrupted(folder)
    assert (tmp_path / "d" / "a").read_text() == "old"
    assert _names(tmp_path) == ["d"]


def test_a_rename_that_fails_puts_the_old_directory_back(tmp_path, monkeypatch):
    """If the new directory cannot take the name, the one moved aside returns to it."""
    with committed_directory(tmp_path / "d") as folder:
        (folder / "a").write_text("old")
    monkeypatch.setattr(store, "_exchange", lambda one, other: False)
    real = Path.rename

    def rename(self, target):
        if self.name.endswith(".tmp"):
            raise OSError(errno.EIO, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(StorageError), committed_directory(tmp_path / "d") as folder:
        (folder / "a").write_text("new")
    assert _names(tmp_path) == ["d"]
    assert (tmp_path / "d" / "a").read_text() == "old"


def test_stale_temporaries_are_swept_and_block_nothing(tmp_path):
    """What a dead process left, or an earlier one of this process's id, goes; writing works before that."""
    for pid in (_dead_pid(), os.getpid()):
        (tmp_path / f".a.{pid}.0123abcd.tmp").write_text("half")
        (tmp_path / f".d.{pid}.0123abcd.tmp").mkdir()
        (tmp_path / f".d.{pid}.0123abcd.tmp" / "x").write_text("half")
    atomic_write(tmp_path / "a", b"whole")
    assert len(sweep(tmp_path)) == 4
    assert _names(tmp_path) == ["a"]


def test_a_living_process_keeps_its_temporaries(tmp_path):
    """Another live process's temporary stays, and so does one of this process that is being written."""
    foreign = tmp_path / f".a.{os.getppid()}.0123abcd.tmp"
    foreign.write_text("being written")
    with atomic_file(tmp_path / "b") as file:
        file.write(b"b")
        assert sweep(tmp_path) == []
    assert _names(tmp_path) == [foreign.name, "b"]


def test_files_of_the_user_are_never_swept(tmp_path):
    """Only names of the kit's own pattern are temporaries."""
    kept = [".hidden", "a.tmp", ".a.tmp", f".a.{_dead_pid()}.tmp", ".a.12.XYZ.tmp", "a.12.0123abcd.tmp"]
    for name in kept:
        (tmp_path / name).write_text("")
        assert not is_temporary(name)
    assert sweep(tmp_path) == []
    assert _names(tmp_path) == sorted(kept)


def test_a_directory_moved_aside_is_put_back(tmp_path):
    """Killed between moving the old aside and putting the new in place, the old comes back, and only then."""
    aside = tmp_path / f".best.{_dead_pid()}.0123abcd.old"
    aside.mkdir()
    (aside / "model").write_text("old")
    sweep(tmp_path)
    assert (tmp_path / "best" / "model").read_text() == "old"
    aside.mkdir()
    assert sweep(tmp_path) == [aside]
    assert _names(tmp_path) == ["best"]


def test_sweeping_reaches_folders_below_and_none_is_fine(tmp_path):
    """Temporaries in folders below are found, and a folder that is not there is no error."""
    below = tmp_path / "best" / f".m.{_dead_pid()}.0123abcd.tmp"
    below.parent.mkdir()
    below.write_text("")
    assert sweep(tmp_path) == [below]
    assert sweep(tmp_path / "nowhere") == []


def test_regular_files_leaves_out_what_cannot_be_archived(tmp_path):
    """Links, pipes and temporaries are no regular files of a run; the rest comes sorted, with slashes."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2").write_text("")
    (tmp_path / "a").write_text("")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "folder_link").symlink_to("b")
    (tmp_path / ".a.1.0123abcd.tmp").write_text("")
    os.mkfifo(tmp_path / "pipe")
    assert [name for name, _ in regular_files(tmp_path)] == ["a", "b/2"]


def test_sha256_of_a_file(tmp_path):
    """The sum is that of the standard, for the empty file and for one larger than a read."""
    (tmp_path / "a").write_bytes(b"")
    assert sha256_file(tmp_path / "a") == EMPTY_SHA256
    (tmp_path / "b").write_bytes(b"a" * 1_000_000)
    assert sha256_file(tmp_path / "b") == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
