"""Taking a run over from attached inputs: the right one, sound, whole, and nothing else touched."""

import errno
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from kit.errors import StorageError
from kit.harness.archive import package
from kit.harness.attached import attached_runs, is_bare
from kit.harness.checkpoints import CheckpointStore
from kit.harness.config import config_hash
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder
from kit.harness.store import is_temporary
from kit.harness.take_over import take_over
from tests.crash.runs import contents

CONFIG = {"notebook": "walk", "seed": 1}
ASKED = {"quick_test": False, **CONFIG}


def left_behind(root: Path, *steps: int, config: dict[str, Any] = CONFIG, quick_test: bool = False) -> Path:
    """Make the folder of a run that has a checkpoint at each of these steps."""
    asked = {"quick_test": quick_test, **config}
    store = CheckpointStore(root / "checkpoints", config_hash(asked))
    for step in steps:
        store.save(step, {"model.bin": f"{root.name} at {step}".encode()}, exact=True)
    root.mkdir(parents=True, exist_ok=True)
    facts = {"config": config, "config_hash": config_hash(asked), "quick_test": quick_test, "declared": []}
    (root / "run.json").write_text(json.dumps(facts))
    (root / "metrics.csv").write_text("step,loss\n1,0.5\n")
    return root


def archived(root: Path) -> Path:
    """Leave nothing of a run but its archive."""
    package(root)
    for path in list(root.iterdir()):
        if not path.name.startswith("artifacts.zip"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return root / "artifacts.zip"


@pytest.fixture
def here(tmp_path):
    """A run folder as a session has made it ready: locked, empty, with the parts that it writes into."""
    folder = RunFolder(tmp_path / "working/runs/walk")
    folder.create()
    return folder


def model_in(folder: RunFolder, step: int) -> str:
    """Return what the checkpoint of that step holds."""
    return (folder.checkpoints / f"step-{step:09d}/model.bin").read_text()


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("place", ["slug", "notebooks/owner/slug/runs", "datasets/owner/slug/artifacts"])
def test_a_run_is_found_at_any_depth_as_a_folder_and_as_an_archive(tmp_path, here, place, pack):
    """What comes is the run, its newest checkpoints, its rows; the input is as it was."""
    source = left_behind(tmp_path / "input" / place / "walk", 10, 20)
    if pack:
        archived(source)
    before = contents(tmp_path / "input")
    taken = take_over(tmp_path / "input", here, ASKED)
    assert taken is not None
    assert taken.step == 20
    assert model_in(here, 20) == "walk at 20"
    assert here.metrics.read_text() == "step,loss\n1,0.5\n"
    assert here.holds_a_run()
    assert contents(tmp_path / "input") == before
    assert not [path for path in here.root.parent.rglob("*") if is_temporary(path.name)]


def test_the_run_furthest_on_is_taken(tmp_path, here):
    """Of three that fit, the one whose newest sound checkpoint is the furthest."""
    left_behind(tmp_path / "input/first/walk", 10)
    left_behind(tmp_path / "input/second/walk", 10, 30)
    archived(left_behind(tmp_path / "input/third/walk", 20))
    taken = take_over(tmp_path / "input", here, ASKED)
    assert taken is not None
    assert (taken.path, taken.step) == (tmp_path / "input/second/walk", 30)


def test_a_damaged_checkpoint_is_passed_over_for_a_sound_one_elsewhere(tmp_path, here):
    """The claim of 40 steps does not hold: 30 sound ones elsewhere win over the 10 beside it."""
    broken = left_behind(tmp_path / "input/first/walk", 10, 40)
    (broken / "checkpoints/step-000000040/model.bin").write_bytes(b"other bytes")
    left_behind(tmp_path / "input/second/walk", 30)
    taken = take_over(tmp_path / "input", here, ASKED)
    assert taken is not None
    assert (taken.path.parent.name, taken.step) == ("second", 30)


def test_the_checkpoint_before_a_damaged_one_is_continued_from(tmp_path, here):
    """Where nothing else is there, ten steps are better than none."""
    broken = left_behind(tmp_path / "input/first/walk", 10, 40)
    (broken / "checkpoints/step-000000040/model.bin").unlink()
    taken = take_over(tmp_path / "input", here, ASKED)
    assert taken is not None
    assert taken.step == 10


def test_a_damaged_archive_brings_nothing(tmp_path, here, caplog):
    """One changed byte of a member: passed over, told, and the run folder is as it was."""
    archive = archived(left_behind(tmp_path / "input/first/walk", 10))
    with zipfile.ZipFile(archive) as opened:
        member = opened.getinfo("metrics.csv")
    data = bytearray(archive.read_bytes())
    data[member.header_offset + 30 + len(member.filename) + 3] ^= 1
    archive.write_bytes(data)
    before = contents(here.root)
    assert take_over(tmp_path / "input", here, ASKED) is None
    assert "passed over" in caplog.text
    assert contents(here.root) == before


@pytest.mark.parametrize(
    ("config", "quick_test", "told"),
    [({**CONFIG, "seed": 2}, False, "seed 2 (here 1)"), (CONFIG, True, "quick_test True (here False)")],
)
def test_a_run_of_other_settings_is_not_taken(tmp_path, here, caplog, config, quick_test, told):
    """Never across another config hash; the log says which setting differs."""
    left_behind(tmp_path / "input/first/walk", 10, config=config, quick_test=quick_test)
    assert take_over(tmp_path / "input", here, ASKED) is None
    assert told in caplog.text
    assert not here.holds_a_run()


def test_what_was_declared_later_is_not_compared_yet(tmp_path, here):
    """Hyperparameters are known after opening: a run is taken, and the session's declaring compares them."""
    root = left_behind(tmp_path / "input/first/walk", 10)
    facts = json.loads((root / "run.json").read_text())
    facts["config"]["learning_rate"], facts["declared"] = 0.1, ["learning_rate"]
    (root / "run.json").write_text(json.dumps(facts))
    assert take_over(tmp_path / "input", here, ASKED) is not None


@pytest.mark.parametrize("name", ["walk.old-1", ".walk.123.0123abcd.tmp"])
def test_what_was_given_up_or_never_finished_is_no_candidate(tmp_path, name):
    """A run that --fresh moved aside, and half a copy, do not come back."""
    left_behind(tmp_path / "input/first" / name, 10)
    assert attached_runs(tmp_path / "input", ASKED) == []


@pytest.mark.parametrize(
    "text", ["", "[]", '{"config_hash": "h"}', '{"config": 3, "config_hash": "h"}', "\x00"]
)
def test_a_foreign_run_json_is_passed_over(tmp_path, text):
    """Any file may be called run.json."""
    left_behind(tmp_path / "input/first/walk", 10)
    (tmp_path / "input/first/walk/run.json").write_text(text)
    assert attached_runs(tmp_path / "input", ASKED) == []


@pytest.mark.parametrize("members", [None, [], ["run.json"], ["other.txt"]])
def test_a_foreign_archive_is_passed_over(tmp_path, members):
    """Any file may be called artifacts.zip: no zip, one without a run.json, one with another's."""
    archive = tmp_path / "input/first/artifacts.zip"
    archive.parent.mkdir(parents=True)
    archive.write_text("no zip")
    if members is not None:
        with zipfile.ZipFile(archive, "w") as made:
            for name in members:
                made.writestr(name, '{"a": [' * 3)
    assert attached_runs(tmp_path / "input", ASKED) == []


def test_settings_nested_without_end_are_passed_over(tmp_path):
    """A config of a thousand levels is no reason for a session to fail."""
    root = left_behind(tmp_path / "input/first/walk", 10)
    deep = '{"a": ' * 990 + "1" + "}" * 990
    (root / "run.json").write_text(f'{{"config": {deep}, "config_hash": "h"}}')
    assert attached_runs(tmp_path / "input", ASKED) == []


def test_a_run_whose_records_cannot_be_read_is_passed_over(tmp_path, here, caplog):
    """A ledger of sessions that is none would fail the session that took it."""
    root = left_behind(tmp_path / "input/first/walk", 10)
    (root / "sessions.json").write_text('{"sessions": [1]}')
    assert take_over(tmp_path / "input", here, ASKED) is None
    assert "holds no sessions of a run" in caplog.text


def test_locks_that_are_held_are_held_on(tmp_path, here):
    """The folder changes places, the lock's file does not: another process still finds it taken."""
    left_behind(tmp_path / "input/first/walk", 10)
    lock = FileLock(here.lock).acquire()
    inode = here.lock.stat().st_ino
    here.notebook_log.write_text("the kernel started\n")
    take_over(tmp_path / "input", here, ASKED)
    assert here.lock.stat().st_ino == inode
    assert here.notebook_log.read_text() == "the kernel started\n"
    lock.release()


def test_a_run_that_never_came_to_a_checkpoint_makes_way(tmp_path, here):
    """Its rows are no part of the run that is taken over; what is not the kit's stays, as does a living log."""
    left_behind(tmp_path / "input/first/walk", 10)
    left_behind(here.root)
    here.metrics.write_text("step,loss\n1,0.9\n2,0.8\n")
    (here.root / "summary.json").write_text("{}")
    here.notebook_log.write_text("the kernel started\n")
    (here.root / "notes.txt").write_text("mine")
    assert is_bare(here.root, ASKED)
    take_over(tmp_path / "input", here, ASKED)
    assert here.metrics.read_text() == "step,loss\n1,0.5\n"
    assert not here.summary.exists()
    assert here.notebook_log.read_text() == "the kernel started\n"
    assert (here.root / "notes.txt").read_text() == "mine"
    assert not is_bare(here.root, ASKED)


def test_a_run_of_other_settings_or_with_a_checkpoint_does_not_make_way(tmp_path):
    """However damaged that checkpoint is: whether it is given up is the user's to say."""
    assert not is_bare(left_behind(tmp_path / "other", config={**CONFIG, "seed": 2}), ASKED)
    begun = left_behind(tmp_path / "begun", 10)
    (begun / "checkpoints/step-000000010/manifest.json").unlink()
    assert not is_bare(begun, ASKED)
    assert not is_bare(tmp_path / "nothing", ASKED)


def test_where_a_file_can_have_no_second_name_it_is_copied(tmp_path, here, monkeypatch):
    """A mounted Drive has no hard links; what processes share must be the same file, and ends it, nothing changed."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    left_behind(tmp_path / "input/first/walk", 10)
    here.notebook_log.write_text("the kernel started\n")
    monkeypatch.setattr(os, "link", refuse)
    assert take_over(tmp_path / "input", here, ASKED) is not None
    assert here.notebook_log.read_text() == "the kernel started\n"
    locked = RunFolder(tmp_path / "working/runs/other")
    locked.create()
    locked.lock.touch()
    with pytest.raises(StorageError, match="not supported"):
        take_over(tmp_path / "input", locked, ASKED)
    assert not locked.holds_a_run()


def test_only_a_runs_own_files_come(tmp_path, here):
    """Links, hidden files, foreign files and the archive stay where they are."""
    root = left_behind(tmp_path / "input/first/walk", 10)
    package(root)
    (root / "notes.txt").write_text("mine")
    (root / ".kit").mkdir()
    (root / ".kit/stop").write_text("now")
    (root / "summary.json").symlink_to(root / "run.json")
    take_over(tmp_path / "input", here, ASKED)
    assert sorted(path.name for path in here.root.iterdir() if any(path.rglob("*")) or path.is_file()) == [
        "checkpoints",
        "metrics.csv",
        "run.json",
    ]


def test_without_room_nothing_is_changed(tmp_path, here, monkeypatch):
    """A run that is larger than what is free is refused before a byte is written."""
    left_behind(tmp_path / "input/first/walk", 10)
    before = contents(here.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(StorageError, match="10 are free"):
        take_over(tmp_path / "input", here, ASKED)
    assert contents(here.root) == before


def test_what_a_killed_session_left_beside_is_cleared(tmp_path, here):
    """Half a copy takes the room of a run."""
    stale = here.root.parent / ".walk.999999999.0123abcd.tmp"
    stale.mkdir()
    (stale / "run.json").write_text("{}")
    take_over(tmp_path / "input", here, ASKED)
    assert not stale.exists()


def test_what_was_in_the_folder_before_a_kill_between_two_renames_is_kept(tmp_path, here, caplog):
    """Where folders cannot change places in one step: a run that was begun, and a user's files, are not deleted."""
    stale = left_behind(here.root.parent / ".walk.999999999.0123abcd.old")
    (stale / "notes.txt").write_text("mine")
    take_over(tmp_path / "input", here, ASKED)
    assert (here.root.with_name("walk.old-1") / "notes.txt").read_text() == "mine"
    assert "is now in" in caplog.text
    assert not stale.exists()
    stale.mkdir()
    (stale / "logs").mkdir()
    take_over(tmp_path / "input", here, ASKED)
    assert sorted(path.name for path in here.root.parent.iterdir()) == ["walk", "walk.old-1"]


def test_a_run_that_was_moved_aside_and_not_replaced_is_put_back_and_not_taken_over(tmp_path):
    """Killed where a file system cannot swap names, a run lies beside: it is this one, and further than the input's."""
    left_behind(tmp_path / "input/slug/walk", 10)
    folder = RunFolder(tmp_path / "working/walk")
    left_behind(folder.root, 30)
    folder.root.rename(folder.root.with_name(f".walk.{nobody()}.0a1b2c3d.old"))
    (folder.root.parent / f".walk.{nobody()}.0a1b2c3d.tmp").mkdir()
    (folder.root.parent / ".walk.extra.4194305.0a1b2c3d.tmp").mkdir()
    assert take_over(tmp_path / "input", folder, ASKED) is None
    assert model_in(folder, 30) == "walk at 30"
    assert sorted(path.name for path in folder.root.parent.iterdir()) == [
        ".walk.extra.4194305.0a1b2c3d.tmp",
        "walk",
    ]


def nobody() -> int:
    """Return a process id beyond the largest that Linux gives."""
    return 2**22 + 1
