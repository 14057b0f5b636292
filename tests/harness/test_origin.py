"""The proof of where a checkpoint came from, and the key that it is made with."""

import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kit.harness import origin as origin_module
from kit.harness.checkpoints import CheckpointStore
from kit.harness.origin import KEY_BYTES, Origin
from kit.trust import is_own


def test_what_was_signed_is_proven_and_nothing_else_is(tmp_path):
    """The proof holds for this content under this key, and for no other content, proof or key."""
    one, other = Origin(tmp_path / "a"), Origin(tmp_path / "b")
    proof = one.sign(b"content")
    assert Origin(tmp_path / "a").proves(proof, b"content")
    assert not one.proves(proof, b"other")
    assert not one.proves("", b"content")
    assert not one.proves("é" * 64, b"content")
    assert not other.proves(proof, b"content")
    assert not other.proves(other.sign(b"content")[:-1], b"content")


def test_asking_makes_no_key(tmp_path):
    """Looking at a checkpoint from elsewhere leaves the cache folder as it was."""
    assert not Origin(tmp_path / "cache" / "key").proves("0" * 64, b"x")
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_for_its_user_alone(tmp_path):
    """32 bytes, mode 0600, whatever the umask, and no temporary beside it."""
    before = os.umask(0)
    try:
        Origin(tmp_path / "key").sign(b"x")
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    status = (tmp_path / "key").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o600, KEY_BYTES)


@pytest.mark.parametrize("fault", ["short", "readable", "link", "pipe", "folder"])
def test_what_is_no_key_is_not_used_and_stays(tmp_path, fault):
    """A key that others could know, or that is none, signs nothing; the reason names it."""
    path = tmp_path / "key"
    if fault == "short":
        path.write_bytes(b"1")
        path.chmod(0o600)
    elif fault == "readable":
        path.write_bytes(bytes(KEY_BYTES))
        path.chmod(0o644)
    elif fault == "link":
        (tmp_path / "there").write_bytes(bytes(KEY_BYTES))
        (tmp_path / "there").chmod(0o600)
        path.symlink_to(tmp_path / "there")
    elif fault == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    origin = Origin(path)
    assert origin.sign(b"x") == ""
    assert str(path) in str(origin.reason)
    assert path.lstat()


def test_a_cache_folder_that_cannot_be_written_stops_nothing(tmp_path):
    """Where no key can be made checkpoints are saved all the same; they count as nobody's, and the reason is there."""
    (tmp_path / "file").write_text("")
    origin = Origin(tmp_path / "file" / "key")
    saved = CheckpointStore(tmp_path / "c", "h", origin=origin).save(1, {"a": b"1"}, exact=True)
    assert saved.origin == ""
    assert not is_own(saved, origin)
    assert "cannot be" in str(origin.reason)


def test_processes_that_need_a_key_at_once_get_the_same(tmp_path):
    """Of many that create it at the same time one wins, and all sign alike."""
    code = (
        "import sys; from pathlib import Path; from kit.harness.origin import Origin\n"
        "sys.stdin.readline(); sys.stdout.write(Origin(Path(sys.argv[1])).sign(b'x'))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "new" / "key")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    proofs = {process.communicate(timeout=60)[0] for process in processes}
    assert proofs == {Origin(tmp_path / "new" / "key").sign(b"x")}
    assert len(proofs.pop()) == 64


def test_a_kill_while_the_key_is_made_leaves_none_or_a_whole_one(tmp_path):
    """Killed at each call that touches the disk, the next process still gets a key."""
    code = (
        "import os, signal, sys; from pathlib import Path; from kit.harness import origin\n"
        "name, path = sys.argv[1:]\n"
        "real = getattr(os, name)\n"
        "def die(*a, **k):\n"
        "    real(*a, **k); os.kill(os.getpid(), signal.SIGKILL)\n"
        "setattr(os, name, die)\n"
        "origin.Origin(Path(path)).sign(b'x')"
    )
    for number, call in enumerate(("open", "fsync", "link")):
        path = tmp_path / str(number) / "key"
        path.parent.mkdir()
        done = subprocess.run([sys.executable, "-c", code, call, str(path)], timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL
        assert not path.exists() or path.stat().st_size == KEY_BYTES
        assert len(Origin(path).sign(b"x")) == 64


def test_a_manifest_cannot_take_another_ones_proof(tmp_path):
    """The proof covers step, configuration, sums and extra: moved to a changed manifest it proves nothing."""
    origin = Origin(tmp_path / "key")
    saved = CheckpointStore(tmp_path / "c", "h", origin=origin).save(1, {"a": b"1"}, exact=True)
    assert is_own(saved, origin)
    for change in ({"step": 2}, {"config_hash": "x"}, {"exact": False}, {"files": ()}, {"extra": {"a": 1}}):
        assert not is_own(replace(saved, **change), origin)


def test_the_key_lies_in_the_cache_folder(monkeypatch, tmp_path):
    """XDG_CACHE_HOME moves it, beside the history of forecasts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Origin().path == tmp_path / "training-kit" / "origin.key"
    assert isinstance(origin_module.cache_folder(), Path)
