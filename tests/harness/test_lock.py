import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from kit.errors import RunLockedError, StorageError
from kit.harness.lock import FileLock
from tests.crash.faults import mounted

HOLDER = """
import sys
from pathlib import Path
from kit.harness.lock import FileLock
with FileLock(Path(sys.argv[1])).acquire():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_the_lock(tmp_path):
    """RunLockedError names the pid; after a SIGKILL of the holder the lock is free at once."""
    path = tmp_path / "run" / ".kit" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunLockedError, match=f"pid {holder.pid}") as caught:
            FileLock(path).acquire()
        assert caught.value.pid == holder.pid
        assert str(tmp_path / "run") in str(caught.value)
        holder.send_signal(signal.SIGKILL)
    with FileLock(path).acquire():
        assert path.read_text() == str(os.getpid())


def test_a_lock_waits_where_it_is_told_to(tmp_path):
    """As a context it waits for the holder instead of failing."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        holder.stdin.close()
        with FileLock(tmp_path / "lock"):
            assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_releasing_is_harmless_and_lets_the_next_one_in(tmp_path):
    """Released twice, and taken again by another object."""
    lock = FileLock(tmp_path / "lock").acquire()
    lock.release()
    lock.release()
    other = FileLock(tmp_path / "lock").acquire()
    with pytest.raises(RunLockedError):
        lock.acquire()
    other.release()


def test_an_unwritable_place_is_a_storage_error(tmp_path):
    """Where the lock cannot be made, the run folder cannot be written, and the message says so."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        FileLock(tmp_path / "file" / "lock").acquire()


def test_a_full_disk_keeps_no_lock_from_being_taken(tmp_path):
    """The file is there and can be locked; that the pid does not fit is no error, and no other pid is in it."""
    with mounted(tmp_path / "disk", "size=16k") as disk:
        (disk / "lock").touch()
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        first = FileLock(disk / "lock").acquire()
        with pytest.raises(RunLockedError):
            FileLock(disk / "lock").acquire()
        assert (disk / "lock").read_text() == ""
        first.release()
