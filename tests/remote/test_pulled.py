"""An output without checksums is fetched once, known again as far as can be, and what nothing covers is named."""

import shutil
from pathlib import Path

import pytest

from kit.errors import UsageError
from kit.harness.archive import package
from kit.harness.verify import verify
from kit.remote import chain_home
from kit.report.remote import pull_text
from tests.remote.conftest import Loopback
from tests.remote.kaggle_server import Plan
from tests.remote.made_runs import PREFIX, files_of
from tests.remote.test_chain import Killed, notebook, order, plans, run
from tests.remote.test_pull import pull

__all__ = ["notebook", "order", "plans"]


def downloads(loopback: Loopback) -> int:
    """Return how many files of an output were asked for."""
    return len(loopback.server.calls("DownloadOutput"))


def killed(runs: dict[str, Path], **how: object) -> Plan:
    """Return the end of a session that was killed before it made an archive."""
    return Plan(status="CANCEL_ACKNOWLEDGED", files=files_of(runs["killed"], archive=False), **how)


@pytest.mark.slow
def test_loose_files_are_fetched_once_and_named(loopback, runs, tmp_path):
    """A second pull asks for the ledger alone; what no manifest covers is named by both."""
    loopback.ran(killed(runs))
    first = pull(loopback, tmp_path / "run")
    names = {name.removeprefix(f"{PREFIX}/") for name in files_of(runs["killed"], archive=False)}
    bare = {name for name in names if not name.startswith(("checkpoints/", "best/"))}
    assert set(first["unverified"]) == bare
    assert {"run.json", "metrics.csv"} <= bare
    assert f"unverified, no checksum covers them: {sorted(bare)[0]}, " in pull_text(first)
    before = downloads(loopback)
    again = pull(loopback, tmp_path / "run")
    assert (again["source"], downloads(loopback)) == ("unchanged", before + 1)
    assert (again["unverified"], again["step"]) == (first["unverified"], first["step"])


@pytest.mark.slow
def test_an_older_archive_beside_them_is_not_fetched_again(loopback, runs, tmp_path):
    """Nor are the files that were taken instead of it: its sum and the ledger tell."""
    loopback.ran(Plan(status="CANCEL_ACKNOWLEDGED", files=files_of(runs["killed"])))
    assert pull(loopback, tmp_path / "run")["source"] == "files"
    before = downloads(loopback)
    assert pull(loopback, tmp_path / "run")["source"] == "unchanged"
    assert downloads(loopback) == before + 2


@pytest.mark.slow
def test_an_archive_without_its_sum_is_fetched_once(loopback, runs, tmp_path):
    """The sums inside cover its members, so it comes; it is named."""
    files = files_of(runs["complete"])
    del files[f"{PREFIX}/artifacts.zip.sha256"]
    loopback.ran(Plan(files=files))
    first = pull(loopback, tmp_path / "run")
    assert (first["source"], first["unverified"]) == ("archive", ["artifacts.zip"])
    before = downloads(loopback)
    assert pull(loopback, tmp_path / "run")["source"] == "unchanged"
    assert downloads(loopback) == before + 1
    with pytest.raises(UsageError, match="--fresh"):  # those are other files
        pull(loopback, tmp_path / "run", loose=True)


@pytest.mark.slow
def test_a_verified_archive_leaves_nothing_to_name(loopback, runs, tmp_path):
    """Nor does the text speak of it."""
    loopback.ran(Plan(files=files_of(runs["complete"])))
    found = pull(loopback, tmp_path / "run")
    assert found["unverified"] == []
    assert "unverified" not in pull_text(found)


@pytest.mark.slow
def test_another_output_is_not_taken_for_that_one(loopback, runs, tmp_path):
    """Files of the same names: another log, or another ledger, is another session."""
    loopback.ran(killed(runs))
    pull(loopback, tmp_path / "run")
    loopback.ran(killed(runs, lines=("another session\n",)))
    with pytest.raises(UsageError, match="--fresh"):
        pull(loopback, tmp_path / "run")
    files = files_of(runs["killed"], archive=False)
    ledger = f"{PREFIX}/sessions.json"
    loopback.ran(Plan(status="CANCEL_ACKNOWLEDGED", files={**files, ledger: files[ledger] + b"\n"}))
    with pytest.raises(UsageError, match="--fresh"):
        pull(loopback, tmp_path / "run")


@pytest.mark.slow
def test_a_run_that_went_on_here_is_not_what_was_brought(loopback, runs, tmp_path):
    """Its archive is another one."""
    loopback.ran(killed(runs))
    pull(loopback, tmp_path / "run")
    (tmp_path / "run" / "logs" / "run.log").write_text("more\n")
    package(tmp_path / "run")
    with pytest.raises(UsageError, match="--fresh"):
        pull(loopback, tmp_path / "run")


@pytest.mark.slow
def test_a_chain_that_was_killed_before_it_put_the_run_home_does_not_fetch_it_again(loopback, order, runs):
    """Loose files and archives alike: what came lies beside, whole."""
    loopback.machine.plan(killed(runs))
    with pytest.MonkeyPatch.context() as patch:

        def kill(*_: object) -> None:
            raise Killed

        patch.setattr(chain_home.Homecoming, "_put_home", kill)
        with pytest.raises(Killed):
            run(loopback, order, max_sessions=1)
    before = downloads(loopback)
    assert run(loopback, order, max_sessions=1)["status"] == "stopped"
    assert downloads(loopback) == before + 1
    assert verify(order.out).ok


@pytest.mark.slow
def test_a_chain_that_waits_for_its_dataset_does_not_fetch_the_run_again(loopback, order, runs):
    """In each call that waits; where the run is gone from home it is fetched."""
    loopback.machine.plan(killed(runs))
    loopback.server.misbehave.process_slowly(answers=1_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kit.remote.checkpoint_dataset.READY_TRIES", 1)
        for _ in range(2):
            with pytest.raises(Exception, match="not ready"):
                run(loopback, order, max_sessions=1)
        before = downloads(loopback)
        with pytest.raises(Exception, match="not ready"):
            run(loopback, order, max_sessions=1)
        assert downloads(loopback) == before
        shutil.rmtree(order.out)
        with pytest.raises(Exception, match="not ready"):
            run(loopback, order, max_sessions=1)
    assert downloads(loopback) > before
    assert verify(order.out).ok
