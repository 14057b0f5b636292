"""Files of an output come to disk whole or not at all, whatever the connection does."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import RemoteError, StorageError
from kit.remote import download as download_module
from kit.remote.kernel_ref import KernelRef
from tests.remote.conftest import SLUG, Loopback, names_in
from tests.remote.kaggle_server import Plan

SIZE = 3_000_001


@pytest.fixture
def content() -> bytes:
    """Three pieces and a bit, none like the other."""
    return os.urandom(SIZE)


def bring(
    loopback: Loopback, content: bytes, to: Path, *, name: str = "a.bin", progress=lambda _: None
) -> int:
    """Let a session leave one file, and download it."""
    loopback.ran(Plan(files={name: content}))
    client = loopback.client()
    ref = KernelRef(loopback.server.user, SLUG)
    files = client.output(ref).files

    def address(anew: bool) -> str:
        if anew:
            files.update(client.output(ref).files)
        return files[name]

    return client.downloads(progress).to(to, address, name)


def test_a_file_comes_whole(loopback, content, tmp_path):
    """Every byte, and nothing beside it."""
    assert bring(loopback, content, tmp_path / "there" / "a.bin") == SIZE
    assert (tmp_path / "there" / "a.bin").read_bytes() == content
    assert names_in(tmp_path / "there") == ["a.bin"]


def test_a_broken_download_goes_on_where_it_broke(loopback, content, tmp_path):
    """Two breaks cost two waits, and no byte is asked for again."""
    loopback.server.misbehave.cut_download(times=2)
    pieces: list[int] = []
    bring(loopback, content, tmp_path / "a.bin", progress=pieces.append)
    assert (tmp_path / "a.bin").read_bytes() == content
    assert sum(pieces) == SIZE
    assert len(loopback.waited) == 2


def test_an_expired_address_is_asked_for_anew(loopback, content, tmp_path):
    """The error's body is never taken for the file."""
    loopback.server.misbehave.expire_url(times=1)
    bring(loopback, content, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == content
    assert len(loopback.server.calls("ListKernelSessionOutput")) == 2


def test_an_address_that_stays_expired_is_an_error(loopback, content, tmp_path):
    """A new address that is no good either ends it, and nothing is left."""
    loopback.server.misbehave.expire_url(times=None)
    with pytest.raises(RemoteError, match=r"a\.bin cannot be downloaded: the server answers 400"):
        bring(loopback, content, tmp_path / "there" / "a.bin")
    assert names_in(tmp_path / "there") == []


def test_a_server_that_asks_for_patience_gets_it(loopback, content, tmp_path):
    """429 with Retry-After is waited for that long, 503 with the backoff's own time."""
    loopback.server.misbehave.throttle(times=1, call="DownloadOutput", retry_after=7)
    loopback.server.misbehave.fail(times=1, call="DownloadOutput")
    bring(loopback, content, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == content
    assert loopback.waited == [7.0, 4.0]


def test_a_download_that_never_gets_on_gives_up(loopback, content, tmp_path):
    """Six attempts in a row without a byte more are enough."""
    loopback.server.misbehave.fail(times=None, call="DownloadOutput")
    with pytest.raises(RemoteError, match="Tried 6 times without a byte more"):
        bring(loopback, content, tmp_path / "there" / "a.bin")
    assert names_in(tmp_path / "there") == []
    assert loopback.waited == [2.0, 4.0, 8.0, 16.0, 32.0]


def test_a_file_that_the_disk_cannot_hold_is_refused_before_a_byte(loopback, content, tmp_path, monkeypatch):
    """The server says how much is to come; nothing is written."""
    monkeypatch.setattr(download_module, "SPARE_BYTES", 2**62)
    with pytest.raises(StorageError, match=r"3\.0 MB are to come"):
        bring(loopback, content, tmp_path / "there" / "a.bin")
    assert names_in(tmp_path / "there") == []


def test_a_disk_that_fills_meanwhile_leaves_nothing_half(loopback, content, tmp_path):
    """A file size limit that is hit while writing fails like a full disk."""
    address = loopback.server.storage.url("big", content)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, hard))
    try:
        with pytest.raises(StorageError, match=r"a\.bin"):
            loopback.client().downloads().to(tmp_path / "there" / "a.bin", lambda _: address, "a.bin")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names_in(tmp_path / "there") == []


@pytest.mark.slow
def test_memory_stays_flat(loopback, tmp_path):
    """A file of 1 GB takes no more memory than one of 1 MB, in a process of its own."""
    sizes = {}
    for size in (2**20, 2**30):
        big = tmp_path / f"{size}.bin"
        with big.open("wb") as file:
            file.truncate(size)
        url = loopback.server.storage.url(f"{size}", big)
        code = (
            "import resource, sys\nfrom pathlib import Path\nfrom kit.remote.client import KaggleClient\n"
            "KaggleClient().downloads().to(Path(sys.argv[2]), lambda _: sys.argv[1], 'big')\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        words = [sys.executable, "-c", code, url, str(tmp_path / "out.bin")]
        environ = loopback.server.environ(loopback.home) | {"PYTHONPATH": str(Path.cwd())}
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
        assert (tmp_path / "out.bin").stat().st_size == size
        sizes[size] = int(done.stdout)
        (tmp_path / "out.bin").unlink()
    assert sizes[2**30] - sizes[2**20] < 20_000  # KiB
