"""What a kernel left comes home as a run folder, verified, all of it or nothing."""

import json
from pathlib import Path

import pytest

from kit.errors import IntegrityError, RemoteBusyError, StorageError, UsageError
from kit.harness.verify import verify
from kit.remote import download as download_module
from kit.remote import pull as pull_module
from kit.remote.kernel_ref import KernelRef
from kit.remote.output_run import NothingLeftError
from kit.remote.pull import Pull, PullOrder
from tests.remote.conftest import SLUG, Loopback, names_in
from tests.remote.kaggle_server import Plan
from tests.remote.made_runs import KILLED_AT, PREFIX, TOTAL, files_of


def pull(loopback: Loopback, out: Path, **how: bool) -> dict:
    """Pull the run of the walk."""
    ref = KernelRef(loopback.server.user, SLUG, "walk")
    return Pull(loopback.client(), PullOrder(ref, out, **how)).run()


def test_a_complete_run_comes_home_whole(loopback, runs, tmp_path):
    """Its archive is verified and unpacked; the folder verifies, and holds the kernel's log too."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    found = pull(loopback, tmp_path / "home" / "run")
    assert (found["status"], found["step"], found["source"]) == ("complete", TOTAL, "archive")
    assert found["ok"]
    assert verify(tmp_path / "home" / "run").ok
    assert (tmp_path / "home" / "run" / "logs" / "kaggle.log").read_text().splitlines()[0].endswith("first")
    assert names_in(tmp_path / "home") == ["run"]


@pytest.mark.slow
def test_what_is_here_already_is_not_downloaded_again(loopback, runs, tmp_path):
    """The same archive has the same sum."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    pull(loopback, tmp_path / "run")
    before = len(loopback.server.calls("DownloadOutput"))
    assert pull(loopback, tmp_path / "run")["source"] == "unchanged"
    assert len(loopback.server.calls("DownloadOutput")) == before + 1  # the sum


@pytest.mark.slow
def test_another_state_is_not_put_over_what_is_here(loopback, runs, tmp_path):
    """--fresh moves what is here aside, and nothing is lost."""
    loopback.ran(Plan(files=files_of(runs["stopped"])))
    pull(loopback, tmp_path / "run")
    loopback.ran(Plan(files=files_of(runs["complete"])))
    with pytest.raises(UsageError, match="--fresh"):
        pull(loopback, tmp_path / "run")
    assert pull(loopback, tmp_path / "run", fresh=True)["status"] == "complete"
    assert json.loads((tmp_path / "run.old-1" / "summary.json").read_text())["status"] == "stopped"


def test_a_killed_session_gives_its_loose_files(loopback, runs, tmp_path):
    """Its archive is of an earlier step than its newest checkpoint: the files come, and are archived here."""
    loopback.ran(Plan(status="CANCEL_ACKNOWLEDGED", files=files_of(runs["killed"])))
    found = pull(loopback, tmp_path / "run")
    assert (found["source"], found["step"], found["resumable"]) == ("files", 20, True)
    assert found["kernel_status"] == "CANCEL_ACKNOWLEDGED"
    assert verify(tmp_path / "run").ok
    assert "--out" in found["continue_with"]


@pytest.mark.slow
def test_a_byte_that_changed_on_the_way_is_fetched_again(loopback, runs, tmp_path):
    """The second copy verifies."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    loopback.server.misbehave.corrupt(times=1, name="artifacts.zip")
    assert pull(loopback, tmp_path / "run")["ok"]


@pytest.mark.slow
def test_an_archive_that_does_not_verify_leaves_nothing(loopback, runs, tmp_path):
    """Damaged twice it is damaged there: exit code 5, no folder."""
    files = files_of(runs["complete"])
    name = f"{PREFIX}/artifacts.zip"
    half = len(files[name]) // 2
    files[name] = files[name][:half] + bytes([files[name][half] ^ 1]) + files[name][half + 1 :]
    loopback.ran(Plan(files=files))
    with pytest.raises(IntegrityError):
        pull(loopback, tmp_path / "home" / "run")
    assert names_in(tmp_path / "home") == []
    assert pull(loopback, tmp_path / "home" / "run", loose=True)["step"] == TOTAL


@pytest.mark.slow
def test_a_full_disk_leaves_nothing(loopback, runs, tmp_path, monkeypatch):
    """Neither the folder nor what had come."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    monkeypatch.setattr(download_module, "SPARE_BYTES", 2**62)
    with pytest.raises(StorageError):
        pull(loopback, tmp_path / "home" / "run")
    assert names_in(tmp_path / "home") == []


@pytest.mark.slow
def test_what_a_killed_pull_left_is_cleared(loopback, runs, tmp_path):
    """A folder of a process that is dead."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    left = tmp_path / "home" / ".run.4194301.0123abcd.tmp"
    left.mkdir(parents=True)
    (left / "artifacts.zip").write_bytes(b"half")
    pull(loopback, tmp_path / "home" / "run")
    assert names_in(tmp_path / "home") == ["run"]


@pytest.mark.slow
def test_a_run_among_ten_thousand_files_is_found(loopback, runs, tmp_path):
    """The listing comes in pages."""
    loopback.server.misbehave.add_files(10_000)
    loopback.ran(Plan(files=files_of(runs["complete"])))
    assert pull(loopback, tmp_path / "run")["status"] == "complete"
    assert len(loopback.server.calls("ListKernelSessionOutput")) > 10


@pytest.mark.slow
def test_a_list_that_is_empty_at_first_is_asked_for_again(loopback, runs, tmp_path):
    """It may only be early."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    loopback.server.misbehave.list_nothing(times=1)
    assert pull(loopback, tmp_path / "run")["ok"]


@pytest.mark.slow
def test_a_kernel_that_runs_has_nothing_to_bring_yet(loopback, runs, tmp_path):
    """Exit code 4: later it has."""
    loopback.server.hold_queue()
    loopback.server.kernels.save(
        loopback.server.user,
        {"slug": f"{loopback.server.user}/{SLUG}", "newTitle": SLUG, "text": "{}", "kernelType": "notebook"},
    )
    with pytest.raises(RemoteBusyError, match="QUEUED"):
        pull(loopback, tmp_path / "run")
    loopback.server.release_queue()


@pytest.mark.slow
def test_a_kernel_that_left_no_run_says_so(loopback, tmp_path):
    """Whatever files it left."""
    loopback.ran(Plan(status="ERROR", files={"notes.txt": b"mine"}))
    with pytest.raises(NothingLeftError, match="left no run"):
        pull(loopback, tmp_path / "home" / "run")
    assert not (tmp_path / "home" / "run").exists()


@pytest.mark.slow
def test_a_loose_file_that_changed_on_the_way_is_fetched_again(loopback, runs, tmp_path):
    """Of the newest checkpoint: the run does not fall back to the one before. And rows are read too."""
    files = files_of(runs["killed"])
    loopback.ran(Plan(status="CANCEL_ACKNOWLEDGED", files=files))
    newest = [name for name in files if "step-000000020/" in name and not name.endswith("manifest.json")]
    loopback.server.misbehave.corrupt(times=1, name=newest[0].removeprefix(f"{PREFIX}/"))
    loopback.server.misbehave.corrupt(times=1, name="run.json", at=0.0)
    found = pull(loopback, tmp_path / "run")
    assert (found["source"], found["step"]) == ("files", KILLED_AT)
    assert [one["fault"] for one in found["checkpoints"]] == [None] * len(found["checkpoints"])
    assert verify(tmp_path / "run").ok


@pytest.mark.slow
def test_an_older_archive_is_what_remains_of_damaged_files(loopback, runs, tmp_path):
    """It was verified before, so it is better than nothing."""
    files = files_of(runs["killed"])
    files[f"{PREFIX}/run.json"] = b"{"
    loopback.ran(Plan(status="CANCEL_ACKNOWLEDGED", files=files))
    found = pull(loopback, tmp_path / "home" / "run")
    assert (found["source"], found["ok"]) == ("archive", True)
    assert found["step"] < KILLED_AT
    assert verify(tmp_path / "home" / "run").ok
    assert names_in(tmp_path / "home") == ["run"]


@pytest.mark.slow
def test_a_disk_that_fills_while_unpacking_leaves_nothing(loopback, runs, tmp_path, monkeypatch):
    """The archive had come; what was unpacked of it is gone with it."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    real = pull_module.unpack_run

    def fills(archive: Path, made: Path) -> dict:
        real(archive, made)
        raise StorageError(28, "No space left on device")

    monkeypatch.setattr(pull_module, "unpack_run", fills)
    with pytest.raises(StorageError):
        pull(loopback, tmp_path / "home" / "run")
    assert names_in(tmp_path / "home") == []
