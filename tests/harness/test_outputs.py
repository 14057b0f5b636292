"""The three layers, with real files and a clock that stands still."""

import json
import os
import threading

import pytest

from kit.errors import StorageError
from kit.harness.archive import verify
from kit.harness.cadence import Cadence
from kit.harness.clock import ManualClock
from kit.harness.outputs import RobustOutputManager
from kit.harness.run_folder import RunFolder
from kit.harness.summary import read_json, write_json


@pytest.fixture
def clock() -> ManualClock:
    """A clock that a test advances."""
    return ManualClock()


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """A fresh run folder."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    write_json(folder.run_json, {"config_hash": "h", "total_timesteps": 100})
    return folder


def save(outputs: RobustOutputManager, step: int) -> None:
    """Take a checkpoint and wait for it."""
    outputs.save_checkpoint(step, lambda: {"state": str(step).encode()}, exact=True, extra={})
    outputs.settle()


def fail(outputs: RobustOutputManager, step: int) -> None:
    """Try a checkpoint whose files cannot be made."""

    def encode() -> dict[str, bytes]:
        raise StorageError("the disk is full")

    outputs.save_checkpoint(step, encode, exact=True, extra={})


def test_checkpoints_are_written_in_the_background_and_two_are_kept(folder, clock):
    """The call returns before the files are made; the newest verifies; a third drops the first."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    gate = threading.Event()

    def encode() -> dict[str, bytes]:
        gate.wait(30)
        return {"state": b"1"}

    outputs.save_checkpoint(1, encode, exact=True, extra={"why": "x"})
    assert outputs.checkpoints.newest() is None
    outputs.poll()
    gate.set()
    outputs.settle()
    assert outputs.checkpoints.newest().step == 1
    assert outputs.checkpoint_bytes == 1
    save(outputs, 2)
    save(outputs, 3)
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["step-000000002", "step-000000003"]
    outputs.close()


def test_rows_are_durable_before_a_checkpoint_that_counts_on_them(folder, clock, monkeypatch):
    """A power failure never leaves a checkpoint at a step whose rows are lost."""
    synced, fsync = [], os.fsync

    def watched(file: int) -> None:
        standing = any(folder.checkpoints.glob("step-*"))
        synced.append((os.fstat(file).st_ino, os.fstat(file).st_size, standing))
        fsync(file)

    outputs = RobustOutputManager(folder, "h", clock=clock)
    outputs.open_rows(-1)
    outputs.record(1, {"loss": 0.5})
    outputs.record_time(1, 0.1, 1)
    monkeypatch.setattr(os, "fsync", watched)
    save(outputs, 1)
    for path in (folder.metrics, folder.timing_rows):
        assert (path.stat().st_ino, path.stat().st_size, False) in synced
    outputs.close()


def test_a_first_failed_checkpoint_warns_and_a_second_ends_the_run(folder, clock, caplog):
    """One failure is a warning, two in a row a StorageError; one that succeeds between starts the count anew."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    save(outputs, 1)
    fail(outputs, 2)
    outputs.settle()
    assert "the disk is full" in caplog.text
    save(outputs, 3)
    fail(outputs, 4)
    outputs.settle()
    fail(outputs, 5)
    with pytest.raises(StorageError, match=r"Two checkpoints in a row.*the disk is full"):
        outputs.settle()
    assert outputs.checkpoints.newest().step == 3
    outputs.close()


def test_a_bug_in_the_encoder_surfaces_as_it_is(folder, clock):
    """What is no failure of the disk is not swallowed."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    outputs.save_checkpoint(1, lambda: {"state": 1 / 0}, exact=True, extra={})
    with pytest.raises(ZeroDivisionError):
        outputs.settle()
    outputs.close()


class SlowDisk:
    """Holds the background write until it is told to go on."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def encode(self) -> dict[str, bytes]:
        """Make the files, late."""
        assert self.free.wait(30)
        return {"state": b"1"}


@pytest.mark.parametrize("cadence", [Cadence(), Cadence(checkpoint_every_steps=50)])
def test_training_never_waits_for_a_periodic_checkpoint(folder, clock, cadence):
    """While one is being written none is due, by time or by steps; as soon as it is done the next one is."""
    outputs, disk = RobustOutputManager(folder, "h", clock=clock, cadence=cadence), SlowDisk()
    outputs.save_checkpoint(50, disk.encode, exact=True, extra={})
    clock.advance(599.0)
    outputs.poll()
    assert not outputs.checkpoint_due(100)
    disk.free.set()
    outputs.settle()
    assert outputs.checkpoint_due(103)
    outputs.close()


def test_a_slow_disk_is_warned_of_once_and_a_hanging_one_is_an_error(folder, clock, caplog):
    """Longer than 30 s and than the interval: one warning; longer than ten minutes: a StorageError that says so."""
    cadence = Cadence(checkpoint_max_s=60.0)
    outputs, disk = RobustOutputManager(folder, "h", clock=clock, cadence=cadence), SlowDisk()
    outputs.checkpoint_cost_s = 1e9
    outputs.save_checkpoint(1_000, disk.encode, exact=True, extra={})
    clock.advance(59.0)
    outputs.poll()
    assert not caplog.records
    clock.advance(2.0)
    outputs.poll()
    outputs.poll()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "step 1,000 has been in writing for 61 s" in record.message
    clock.advance(600.0)
    with pytest.raises(StorageError, match="still being written after 661 s"):
        outputs.poll()
    disk.free.set()
    outputs.settle()
    assert outputs.checkpoints.newest().step == 1_000
    outputs.close()


def test_the_background_write_is_told_of(folder, clock):
    """True when it begins and False when it ends, also where it fails; in the thread that writes."""
    told: list[tuple[bool, bool]] = []
    main = threading.get_ident()
    outputs = RobustOutputManager(
        folder, "h", clock=clock, on_persist=lambda on: told.append((on, threading.get_ident() == main))
    )
    save(outputs, 1)
    fail(outputs, 2)
    outputs.settle()
    assert told == [(True, False), (False, False)] * 2
    outputs.close()


def test_a_checkpoint_costs_the_stall_and_the_processor(folder, clock):
    """Not the wall time of the write: nobody waits for that, so a slow disk makes no checkpoint rarer."""
    outputs = RobustOutputManager(folder, "h", clock=clock)

    def encode() -> dict[str, bytes]:
        clock.burn(0.25)
        clock.advance(100.0)
        return {"state": b"1"}

    outputs.save_checkpoint(1, encode, exact=True, extra={}, stall_s=0.5)
    outputs.settle()
    assert outputs.checkpoint_cost_s == 0.75
    outputs.close()


def test_pruning_makes_room_although_writing_fails(folder, clock):
    """On a full disk the older checkpoint goes, the newest stays, and nothing is raised for the one that failed."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    save(outputs, 1)
    save(outputs, 2)
    fail(outputs, 3)
    assert outputs.prune() > 0
    assert [path.name for path in folder.checkpoints.glob("step-*")] == ["step-000000002"]
    outputs.settle()
    outputs.close()


def test_checkpoints_fall_due_by_time(folder, clock):
    """Not before 10 s, then by Young and Daly from what one costs."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    clock.advance(9.9)
    assert not outputs.checkpoint_due(50)
    clock.advance(0.2)
    assert outputs.checkpoint_due(50)
    save(outputs, 50)
    outputs.checkpoint_cost_s = 0.045
    clock.advance(62.0)
    assert not outputs.checkpoint_due(99)
    clock.advance(1.0)
    assert outputs.checkpoint_due(99)
    outputs.close()


def test_checkpoints_fall_due_by_steps_where_those_are_set(folder, clock):
    """Every 50 steps, also where a boundary jumps over a multiple, and on from the step of a resumed run."""
    outputs = RobustOutputManager(folder, "h", clock=clock, cadence=Cadence(checkpoint_every_steps=50))
    assert [step for step in (0, 49, 50, 53, 120) if outputs.checkpoint_due(step)] == [50, 53, 120]
    outputs.open_rows(120)
    assert [step for step in (120, 149, 150) if outputs.checkpoint_due(step)] == [150]
    outputs.close()


def test_exports_fall_due_by_steps_but_not_too_often(folder, clock):
    """Every 500 steps, at most every 30 s; an export asks for figures."""
    drawn: list[int] = []
    outputs = RobustOutputManager(folder, "h", clock=clock, draw=lambda: drawn.append(1))
    assert not outputs.export_due(500)
    clock.advance(30.0)
    assert [step for step in (499, 500, 750) if outputs.export_due(step)] == [500, 750]
    outputs.save_intermediate_results(750)
    clock.advance(30.0)
    assert [step for step in (750, 999, 1_000) if outputs.export_due(step)] == [1_000]
    assert drawn == [1]
    outputs.close()


def test_rows_of_a_lost_future_are_dropped(folder, clock):
    """Opened at a step, metrics.csv and timing.csv end there; a fresh run starts with none."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    outputs.open_rows(-1)
    for step in (10, 20, 30):
        outputs.record(step, {"loss": step / 2})
        outputs.record_time(step, step / 10, 1)
    outputs.close()
    again = RobustOutputManager(folder, "h", clock=clock)
    again.open_rows(20)
    again.record(25, {"loss": 0.5, "new": None})
    again.close()
    assert [line.split(",")[0] for line in folder.metrics.read_text().splitlines()] == [
        "step",
        "10",
        "20",
        "25",
    ]
    assert [line.split(",")[0] for line in folder.timing_rows.read_text().splitlines()] == [
        "step",
        "10",
        "20",
    ]
    fresh = RobustOutputManager(folder, "h", clock=clock)
    fresh.open_rows(-1)
    fresh.close()
    assert len(folder.metrics.read_text().splitlines()) == 1


def test_the_best_model_is_replaced_whole(folder, clock):
    """File and facts change together, and the facts hold the file's sha256."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    for step, content in ((5, b"one"), (9, b"two")):
        outputs.save_best(step, content, name="model.zip", metric="delay", value=1.0 / step)
        facts = json.loads((folder.best / "best.json").read_text())
        assert (folder.best / "model.zip").read_bytes() == content
        assert (facts["step"], facts["bytes"], facts["metric"]) == (step, 3, "delay")
    assert len(facts["sha256"]) == 64
    outputs.close()


def test_finalising_writes_summary_report_and_archive(folder, clock):
    """The summary holds what was given and the step of the last checkpoint; the archive verifies."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    outputs.save_checkpoint(40, lambda: {"state": b"s"}, exact=True, extra={})
    reported: list[str] = []
    reference = outputs.finalise(
        status="stopped", reason="why", more={"x": 1}, report=lambda: reported.append("drawn")
    )
    summary = read_json(folder.summary)
    assert (summary["status"], summary["reason"], summary["step"], summary["x"]) == ("stopped", "why", 40, 1)
    assert reported == ["drawn"]
    assert reference.path == folder.archive
    assert verify(folder.archive).ok


def test_a_timeout_signal_finalises_and_returns(folder, clock):
    """on_timeout_signal() makes the archive of what is there and leaves the interpreter to its caller."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    save(outputs, 8)
    assert outputs.on_timeout_signal().path.exists()
    summary = read_json(folder.summary)
    assert (summary["status"], summary["reason"], summary["step"]) == ("stopped", "timeout_signal", 8)


def test_a_timeout_signal_on_a_failing_disk_is_logged(folder, clock, caplog):
    """Where the archive cannot be written the call returns None, and layers 1 and 2 are still there."""
    outputs = RobustOutputManager(folder, "h", clock=clock)
    save(outputs, 8)
    folder.summary.mkdir()
    (folder.summary / "in the way").touch()
    assert outputs.on_timeout_signal() is None
    assert "layers 1 and 2 are on disk" in caplog.text
    assert outputs.checkpoints.newest().step == 8
