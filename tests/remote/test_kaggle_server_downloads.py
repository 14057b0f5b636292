"""The loopback Kaggle: output in pages, by URLs that expire, whole, cut or corrupt, and what the CLI makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.harness.clock import ManualClock
from tests.remote.kaggle_server import Cli, KaggleServer, Machine, Plan, ask, fetch, push

ARCHIVE = bytes(range(256)) * 1000
FILES = {"artifacts.zip": ARCHIVE, **{f"figures/{number:02d}.png": b"p" * number for number in range(1, 45)}}


@pytest.fixture
def clock() -> ManualClock:
    """The clock that URLs expire by."""
    return ManualClock()


@pytest.fixture
def server(tmp_path: Path, clock: ManualClock) -> Iterator[KaggleServer]:
    """A server with one kernel that is COMPLETE, and left 45 files."""
    with KaggleServer(tmp_path / "kaggle", Machine(Plan(files=FILES)), clock=clock) as server:
        push(server)
        server.wait("a-notebook")
        yield server
    assert server.misbehave.left() == []


def output(server: KaggleServer, **fields: object) -> dict[str, Any]:
    """List the output of the kernel."""
    return dict(
        ask(server, "kernels", "ListKernelSessionOutput", {"kernelSlug": "a-notebook", **fields}).json
    )


def url_of(server: KaggleServer, name: str) -> str:
    """Return a fresh URL of a file."""
    return str({file["fileName"]: file["url"] for file in output(server, pageSize=200)["files"]}[name])


def download(server: KaggleServer, folder: Path, *arguments: str) -> tuple[int, str]:
    """Let the CLI fetch the output; return its exit code and what it printed."""
    done = Cli(server, folder / "home")(
        "kernels", "output", "tester/a-notebook", "-p", folder / "got", *arguments
    )
    return done.returncode, done.stdout + done.stderr


def test_a_listing_comes_in_pages(server: KaggleServer):
    """Pages of 20 unless asked otherwise, at most 200, each file once; the log comes with each of them."""
    pages, token = [], ""
    while token or not pages:
        pages.append(output(server, pageToken=token))
        token = pages[-1].get("nextPageToken", "")
    assert [len(page["files"]) for page in pages] == [20, 20, 5]
    assert [file["fileName"] for page in pages for file in page["files"]] == sorted(FILES)
    assert all("first" in page["log"] for page in pages)
    server.misbehave.add_files(10_000)
    assert len(output(server, pageSize=5000)["files"]) == 200
    assert (
        ask(server, "kernels", "ListKernelSessionOutput", {"kernelSlug": "a-notebook", "pageToken": "x"}).code
        == 400
    )


def test_the_cli_fetches_all_pages(server: KaggleServer, tmp_path: Path):
    """45 files arrive in three pages, byte for byte."""
    code, said = download(server, tmp_path)
    assert code == 0, said
    assert {name: (tmp_path / "got" / name).read_bytes() for name in FILES} == FILES
    assert len(server.calls("ListKernelSessionOutput")) == 3


@pytest.mark.slow
def test_the_cli_fetches_ten_thousand_files(server: KaggleServer, tmp_path: Path):
    """10,000 files and the run's own arrive whole, each once."""
    server.misbehave.add_files(10_000)
    code, said = download(server, tmp_path, "--page-size", "200", "--quiet")
    assert code == 0, said
    got = {path.name: path.read_bytes() for path in (tmp_path / "got/many").iterdir()}
    assert got == {f"{number:05d}.txt": f"{number}\n".encode() for number in range(10_000)}
    assert len(server.calls("DownloadOutput")) == 10_045


def test_a_url_holds_for_its_lifetime(server: KaggleServer, clock: ManualClock):
    """An hour later it is expired, in XML; a new listing gives one that holds. A changed URL is nobody's."""
    url = url_of(server, "artifacts.zip")
    assert fetch(server, url).body == ARCHIVE
    clock.advance(3601.0)
    expired = fetch(server, url)
    assert (expired.code, b"<Code>ExpiredToken</Code>" in expired.body) == (400, True)
    assert fetch(server, url_of(server, "artifacts.zip")).code == 200
    assert fetch(server, url.replace("artifacts", "artefacts")).code == 403
    assert fetch(server, url + "0").code == 403


def test_a_download_goes_on_from_a_byte(server: KaggleServer):
    """A range gets 206 and the rest, one beyond the end 416; the tag tells that it is the same file."""
    url = url_of(server, "artifacts.zip")
    whole = fetch(server, url)
    rest = fetch(server, url, Range="bytes=255000-")
    assert (rest.code, rest.headers["Content-Range"]) == (206, "bytes 255000-255999/256000")
    assert rest.body == ARCHIVE[255_000:]
    assert whole.headers["ETag"] == rest.headers["ETag"]
    assert fetch(server, url, Range="bytes=256000-").code == 416


def test_an_expired_url_becomes_a_file_that_holds_the_error(server: KaggleServer, tmp_path: Path):
    """The CLI saves the XML under the file's name and exits with 0: the second lie."""
    server.misbehave.expire_url(name="artifacts.zip")
    code, _ = download(server, tmp_path)
    assert code == 0
    assert b"ExpiredToken" in (tmp_path / "got/artifacts.zip").read_bytes()


def test_a_cut_download_leaves_half_the_work(server: KaggleServer, tmp_path: Path):
    """The connection breaks half-way: the CLI ends with 1, an empty file of that name, and none of those after it."""
    server.misbehave.cut_download(name="figures/03.png")
    code, said = download(server, tmp_path)
    assert (code, "IncompleteRead(1 bytes read, 2 more expected)" in said) == (1, True)
    assert (tmp_path / "got/figures/03.png").read_bytes() == b""
    assert not (tmp_path / "got/figures/04.png").exists()


def test_a_corrupt_byte_goes_unnoticed(server: KaggleServer, tmp_path: Path):
    """One bit differs, everything else is right, and the CLI exits with 0."""
    server.misbehave.corrupt(name="artifacts.zip")
    code, _ = download(server, tmp_path, "--file-pattern", "artifacts")
    got = (tmp_path / "got/artifacts.zip").read_bytes()
    assert code == 0
    assert [(at, a ^ b) for at, (a, b) in enumerate(zip(got, ARCHIVE, strict=True)) if a != b] == [
        (128_000, 1)
    ]


@pytest.mark.slow
def test_a_name_may_lead_out_of_the_folder(server: KaggleServer, tmp_path: Path):
    """A listed name is only a name: the CLI follows it wherever it leads."""
    server.misbehave.add_files({"../outside.txt": b"x"})
    assert download(server, tmp_path, "--file-pattern", "outside")[0] == 0
    assert (tmp_path / "outside.txt").read_bytes() == b"x"


def test_a_listing_may_not_end(server: KaggleServer):
    """The next page is the same again, with the same token, so many times."""
    server.misbehave.repeat_page(times=3)
    token, seen = "", []
    for _ in range(5):
        some = output(server, pageToken=token)
        token = some.get("nextPageToken", "")
        seen.append(some["files"][0]["fileName"])
    assert seen == ["artifacts.zip"] * 4 + ["figures/20.png"]


def test_output_may_be_late(server: KaggleServer):
    """For so many listings there is nothing yet, though the session is COMPLETE."""
    server.misbehave.list_nothing(times=2)
    assert [len(output(server)["files"]) for _ in range(3)] == [0, 0, 20]
