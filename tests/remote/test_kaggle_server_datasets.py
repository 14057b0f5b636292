"""The loopback Kaggle: datasets made and renewed by the real CLI, uploads that break and go on."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.kaggle_server import Cli, KaggleServer, Machine, Policy, ask, carry, dataset_folder

BIG = bytes(range(256)) * 4000
NAMED = {"ownerSlug": "tester", "datasetSlug": "carried-over"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KaggleServer]:
    """A server that nothing is pushed to."""
    with KaggleServer(tmp_path / "kaggle", Machine()) as server:
        yield server
    assert server.misbehave.left() == []
    assert server.journal.strays == []


@pytest.fixture
def kaggle(server: KaggleServer, tmp_path: Path) -> Cli:
    """The CLI with a valid token."""
    return Cli(server, tmp_path / "home")


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip of these files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


def contents(folder: Path | None) -> dict[str, bytes]:
    """Return the files of a folder by their path in it."""
    assert folder is not None
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_dataset_is_made_asked_about_and_renewed(kaggle: Cli, server: KaggleServer, tmp_path: Path):
    """create, status and version: what is mounted is what was uploaded, empty files and all, a zip unpacked."""
    files = {"big.bin": BIG, "empty.txt": b"", "run.zip": zipped({"run.json": b"{}", "best/model.bin": b"m"})}
    folder = dataset_folder(tmp_path / "data", "carried-over", files)
    made = kaggle("datasets", "create", "-p", folder)
    assert "Your private Dataset is being created" in made.stdout, made.stderr
    assert kaggle("datasets", "status", "tester/carried-over").stdout.endswith("ready")
    mounted = contents(server.datasets.mountable("tester", "carried-over", ""))
    assert mounted == {"big.bin": BIG, "empty.txt": b"", "run/run.json": b"{}", "run/best/model.bin": b"m"}
    (folder / "big.bin").write_bytes(b"other")
    renewed = kaggle("datasets", "version", "-p", folder, "-m", "second session")
    assert "Dataset version is being created" in renewed.stdout, renewed.stderr
    assert [version.notes for version in server.dataset("carried-over").versions] == [
        "Initial release",
        "second session",
    ]
    assert contents(server.datasets.mountable("tester", "carried-over", ""))["big.bin"] == b"other"
    asked = kaggle("datasets", "status", "tester/carried-over", "--format", "json(current_version_number)")
    assert asked.stdout.endswith('{"current_version_number": 2}')


def test_a_broken_upload_goes_on_where_it_stopped(kaggle: Cli, server: KaggleServer, tmp_path: Path):
    """503 half-way, 308 with what had arrived, and then only the rest: the CLI resumes, and the file is whole."""
    server.misbehave.break_upload(name="big.bin")
    made = kaggle(
        "datasets", "create", "-p", dataset_folder(tmp_path / "data", "carried-over", {"big.bin": BIG})
    )
    assert "Already uploaded 511999 bytes. Will resume upload at 512000." in made.stdout
    assert [call.code for call in server.calls("UploadBlob")] == [503, 308, 200]
    assert contents(server.datasets.mountable("tester", "carried-over", "")) == {"big.bin": BIG}


def test_a_throttled_creation_is_tried_again(kaggle: Cli, server: KaggleServer, tmp_path: Path):
    """Of all calls the CLI repeats this one, after as long as Retry-After says."""
    server.misbehave.throttle(times=2, call="CreateDataset", retry_after=0)
    made = kaggle(
        "datasets", "create", "-p", dataset_folder(tmp_path / "data", "carried-over", {"a.txt": b"a"})
    )
    assert made.stderr.count("Will retry in 0.0 seconds") == 2
    assert "being created" in made.stdout


@pytest.mark.slow
def test_a_slug_in_use_is_an_exit_code_of_zero(kaggle: Cli, server: KaggleServer, tmp_path: Path):
    """A dataset that is there already is an error on stdout, and 0; the server says the same."""
    carry(server, "carried-over", {"a.txt": b"a"})
    again = kaggle(
        "datasets", "create", "-p", dataset_folder(tmp_path / "data", "carried-over", {"a.txt": b"a"})
    )
    assert (again.returncode, "Dataset creation error: The requested title" in again.stdout) == (0, True)
    token = ask(server, "blobs", "StartBlobUpload", {"type": "DATASET", "name": "a.txt"}).json["token"]
    request = {
        "ownerSlug": "tester",
        "slug": "carried-over",
        "title": "another title",
        "files": [{"token": token}],
    }
    assert ask(server, "datasets", "CreateDataset", request).json["status"] == "error"


def test_a_new_version_may_be_slow(server: KaggleServer):
    """Until it is ready the version before it is mounted."""
    carry(server, "carried-over", {"a.txt": b"first"})
    server.misbehave.process_slowly(answers=2)
    carry(server, "carried-over", {"a.txt": b"second"})
    seen = []
    for _ in range(3):
        seen.append(contents(server.datasets.mountable("tester", "carried-over", ""))["a.txt"])
        seen.append(ask(server, "datasets", "GetDatasetStatus", NAMED).json["status"])
    assert seen == [b"first", "BLOBS_RECEIVED", b"first", "BLOBS_RECEIVED", b"second", "READY"]


@pytest.mark.slow
def test_a_dataset_that_is_not_there_is_an_error(kaggle: Cli):
    """`datasets status` ends with 1."""
    assert kaggle("datasets", "status", "tester/nothing-there").returncode == 1


def test_an_archive_may_stay_packed(tmp_path: Path):
    """A policy, for what the service does with archives is known from reports only."""
    packed = zipped({"run.json": b"{}"})
    with KaggleServer(tmp_path / "kaggle", Machine(), policy=Policy(unpacks_archives=False)) as server:
        carry(server, "carried-over", {"run.zip": packed})
        assert contents(server.datasets.mountable("tester", "carried-over", "")) == {"run.zip": packed}
