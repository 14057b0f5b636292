"""The session in this process: what it refuses, resumes, records and leaves, with real files."""

from functools import partial
from pathlib import Path

import pytest
import torch

from kit import TrainingSession
from kit.errors import (
    ConfigMismatchError,
    IntegrityError,
    RunLockedError,
    StorageError,
    UnknownNameError,
    UsageError,
)
from kit.harness.clock import SYSTEM_CLOCK
from kit.harness.heartbeat import read_beat
from kit.harness.watchdog import request_stop
from kit.report.process import ReportProcess
from tests.crash.runs import assert_sound, contents, read
from tests.crash.walk import Walk
from tests.walking import ask_at, open_session, walk_on


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests here do without figures and page: those take longer than everything else together."""
    if request.node.name != "test_a_complete_run_leaves_rows_checkpoint_summary_and_archive":
        monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The folder of a run with settings of its own, stopped at step 0."""
    with open_session(tmp_path / "run") as session:
        session.declare(rate=0.1)
        request_stop(session.folder, "a test")
        walk_on(session)
    return tmp_path / "run"


def test_a_complete_run_leaves_rows_checkpoint_summary_and_archive(tmp_path):
    """Forty steps, forty rows, status complete; close() again returns the same summary."""
    with open_session(tmp_path / "run") as session:
        walk_on(session)
        assert session.trained
    summary = session.close()
    assert (summary["status"], summary["step"], summary["exact"]) == ("complete", 40, True)
    rows = (tmp_path / "run/metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", *map(str, range(1, 41))]
    assert (tmp_path / "run/report.html").stat().st_size > 0
    assert_sound(tmp_path / "run")


def test_other_settings_are_refused_at_opening_and_nothing_changes(stopped):
    """ConfigMismatchError names what differs; the folder is as it was, and the run can go on."""
    before = contents(stopped)
    with pytest.raises(ConfigMismatchError, match="seed: 1 there, 2 asked for"):
        open_session(stopped, seed=2)
    with pytest.raises(ConfigMismatchError, match="total_timesteps: 40 there, 41 asked for"):
        open_session(stopped, steps=41)
    assert contents(stopped) == before
    with open_session(stopped) as session:
        session.declare(rate=0.1)
        walk_on(session)
    assert read(stopped)["status"] == "complete"


def test_other_declared_settings_are_refused_and_nothing_changes(stopped):
    """Hyperparameters differ only once they are declared: still not a byte of the run changes."""
    before = contents(stopped)
    session = open_session(stopped)
    with pytest.raises(ConfigMismatchError, match=r"rate: 0\.1 there, 0\.2 asked for"), session:
        session.declare(rate=0.2)
    assert contents(stopped) == before
    open_session(stopped, fresh=True).close()
    assert contents(stopped.with_name("run.old-1")) == before


def test_settings_cannot_be_declared_too_late(tmp_path):
    """After the first restore the hash is fixed."""
    with open_session(tmp_path / "run") as session:
        session.restore()
        with pytest.raises(UsageError, match="must come before"):
            session.declare(rate=0.1)


def test_a_run_that_failed_before_its_settings_were_known_can_be_run_again(tmp_path):
    """A bug between open() and declare() leaves no run that the next attempt would contradict."""
    with pytest.raises(ZeroDivisionError), open_session(tmp_path / "run"):
        _ = 1 / 0
    assert not (tmp_path / "run" / "run.json").exists()
    assert not (tmp_path / "run" / "summary.json").exists()
    with open_session(tmp_path / "run") as session:
        session.declare(rate=0.1)
        walk_on(session)
    assert read(tmp_path / "run")["status"] == "complete"
    assert read(tmp_path / "run", "run.json")["config"]["rate"] == 0.1


def test_the_phases_of_all_sessions_are_in_timing_json(tmp_path, monkeypatch):
    """A run of two sessions has a row for each phase of both, and its 40 steps; its time is that of the ledger."""
    for stop_at in (10, 99):
        with open_session(tmp_path / "run") as session:
            monkeypatch.setattr(session.pace, "look_due", partial(ask_at, session, stop_at))
            walk_on(session)
    rows = {row["name"]: row for row in read(tmp_path / "run", "timing.json")["phases"]}
    assert (rows["setup"]["count"], rows["rollout"]["count"], rows["finalise"]["count"]) == (2, 40, 2)
    total = sum(row["total_s"] for row in rows.values())
    assert total == pytest.approx(read(tmp_path / "run")["elapsed_s"], abs=0.5)
    nested = read(tmp_path / "run", "timing.json")["nested"]
    pairs = {(row["inside"], row["name"]): row for row in nested}
    assert pairs["setup", "checkpoint"]["visits"] == 2  # each session looks for one to restore
    for name in ("checkpoint", "export"):  # nothing is nested in these two, so their whole time is their own
        within = [row for row in nested if row["name"] == name]
        assert sum(row["count"] for row in within) == rows[name]["count"] > 0
        assert sum(row["total_s"] for row in within) == pytest.approx(rows[name]["total_s"])


def test_a_run_that_was_inexact_once_stays_inexact(stopped, monkeypatch):
    """Continued under other versions, then under those again: the second one's summary still says why."""
    monkeypatch.setattr("kit.keeper.versions", lambda: {"python": "0"})
    reasons = []
    for stop_at in (10, 99):
        with open_session(stopped) as session:
            session.declare(rate=0.1)
            monkeypatch.setattr(session.pace, "look_due", partial(ask_at, session, stop_at))
            walk_on(session)
        reasons.append((read(stopped)["status"], read(stopped)["exact"], read(stopped)["inexact_reason"]))
    why = "versions differ from what wrote the checkpoint"
    assert reasons == [("stopped", False, why), ("complete", False, why)]


@pytest.mark.parametrize(("asked", "there"), [("device", "NVIDIA H200"), ("processor", "GenuineIntel 6 85")])
def test_another_device_or_processor_makes_a_resume_inexact(stopped, monkeypatch, asked, there):
    """A run begun on one and continued on another says so; run.json names the device and torch's own threads."""
    record = read(stopped, "run.json")
    assert (record["device"], record["threads"]) == ("cpu", torch.get_num_threads())
    monkeypatch.setattr(f"kit.keeper.{'device_in_use' if asked == 'device' else asked}", lambda: there)
    with open_session(stopped) as session:
        session.declare(rate=0.1)
        walk_on(session)
    assert read(stopped)["inexact_reason"] == f"{asked} differs from what wrote the checkpoint"


def test_an_error_fails_the_run_and_keeps_its_checkpoint(tmp_path):
    """The error surfaces as it is; the summary says failed and why; the next session goes on from the checkpoint."""
    with pytest.raises(RuntimeError, match="broken off"), open_session(tmp_path / "run") as session:
        walk_on(session, until=25)
    summary = read(tmp_path / "run")
    assert (summary["status"], summary["reason"]) == ("failed", "RuntimeError: broken off")
    assert (summary["resumable"], summary["step"]) == (True, 20)
    assert_sound(tmp_path / "run")
    with open_session(tmp_path / "run") as session:
        session.register(walk=Walk(1))
        first = next(iter(session.steps()))
    assert first == 20


def test_a_run_of_which_no_checkpoint_can_be_read_is_not_begun_anew(stopped):
    """It is refused with the faults and the way out, and nothing changes; --fresh moves it aside."""
    folders = list((stopped / "checkpoints").glob("step-*"))
    for folder in folders:
        (folder / "state.json").write_bytes(b"{}")
    before = contents(stopped)
    with (
        pytest.raises(IntegrityError, match=r"begins anew would drop its rows.*--fresh") as refused,
        open_session(stopped) as session,
    ):
        session.restore()
    assert sorted(refused.value.bad) == sorted(folder.name for folder in folders)
    after = contents(stopped)
    assert {name for name in before if after[name] != before[name]} <= {"logs/run.log"}
    with open_session(stopped, fresh=True) as session:
        walk_on(session)
    assert read(stopped)["status"] == "complete"


def test_a_keyboard_interrupt_stops(tmp_path):
    """A person who interrupts gets a stopped run, not a failed one."""
    with pytest.raises(KeyboardInterrupt), open_session(tmp_path / "run"):
        raise KeyboardInterrupt
    assert read(tmp_path / "run")["status"] == "stopped"


def test_a_second_session_on_a_folder_is_refused(tmp_path):
    """RunLockedError in the same process too; after the first has closed the folder is free."""
    with open_session(tmp_path / "run"), pytest.raises(RunLockedError):
        open_session(tmp_path / "run")
    open_session(tmp_path / "run").close()


def test_a_quick_test_is_short_and_always_fresh(tmp_path):
    """A twentieth of the steps, 20 at least; run again it starts at step 0 and moves the last one aside."""
    for _ in range(2):
        with open_session(tmp_path / "run", steps=1_000, quick_test=True) as session:
            assert session.total_timesteps == 50
            walk_on(session)
        summary = read(tmp_path / "run")
        assert (summary["status"], summary["step"], summary["sessions"]) == ("complete", 50, 1)
    assert read(tmp_path / "run", "timing.json")["measured"]["timesteps"] == 50
    assert (tmp_path / "run.old-1").exists()


def test_a_quick_test_and_a_run_do_not_continue_each_other(tmp_path):
    """A full run does not pick up the folder of a quick test."""
    with open_session(tmp_path / "run", quick_test=True) as session:
        walk_on(session)
    with pytest.raises(ConfigMismatchError, match="quick_test: True there, False asked for"):
        open_session(tmp_path / "run")


def test_other_objects_than_those_saved_are_refused(tmp_path):
    """The checkpoint's names and the registered ones are told."""
    with pytest.raises(RuntimeError), open_session(tmp_path / "run") as session:
        walk_on(session, until=15)
    with open_session(tmp_path / "run") as session:
        session.register(stroll=Walk(1))
        with pytest.raises(UsageError, match=r"holds \['walk'\], registered are \['stroll'\]"):
            next(iter(session.steps()))


def test_what_has_no_state_cannot_be_registered(tmp_path):
    """The name of the object is in the message."""
    with (
        open_session(tmp_path / "run") as session,
        pytest.raises(UsageError, match="'thing' cannot be registered"),
    ):
        session.register(thing=object())


def test_other_threads_make_a_resume_inexact_and_say_so(tmp_path):
    """The thread count changes last bits: the summary of the second session repeats why it is not exact."""
    with open_session(tmp_path / "run") as session:
        request_stop(session.folder, "a test")
        walk_on(session)
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        with open_session(tmp_path / "run") as session:
            walk_on(session)
    finally:
        torch.set_num_threads(before)
    summary = read(tmp_path / "run")
    assert summary["exact"] is False
    assert "threads differ" in summary["inexact_reason"]


@pytest.mark.parametrize("steps", [0, -5, True])
def test_a_run_of_no_steps_is_refused(tmp_path, steps):
    """Nothing is created."""
    with pytest.raises(UsageError, match="total_timesteps must be at least 1"):
        open_session(tmp_path / "run", steps=steps)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "error", "says"),
    [
        ({"on_presure": "reduce"}, UnknownNameError, "on_pressure"),
        ({"on_pressure": "shrink"}, UnknownNameError, "report, tiers"),
        ({"soft_limit": "10 parsecs"}, UsageError, "10 parsecs"),
        ({"metrics_every": 0}, UsageError, "metrics_every must be at least 1"),
        ({"threads": 0}, UsageError, "threads must be at least 1"),
    ],
)
def test_bad_options_are_named(tmp_path, option, error, says):
    """An unknown option, value or duration is named with what is legal; nothing is created."""
    with pytest.raises(error, match=says):
        open_session(tmp_path / "run", **option)
    assert not (tmp_path / "run").exists()


def test_an_unwritable_folder_is_a_storage_error(tmp_path):
    """Named, and before anything has been computed."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be"):
        open_session(tmp_path / "file" / "run")


def test_the_heartbeat_says_when_a_run_is_under_way_and_in_which_phase(tmp_path):
    """Not before the first boundary; every boundary tells its step; a phase is told for as long as it lasts."""
    session = TrainingSession.open("made", total_timesteps=10, config={}, out=tmp_path / "run")
    told = lambda: read_beat(tmp_path / "run/.kit/heartbeat")  # noqa: E731
    session.restore()
    assert not told().under_way
    session.timer.switch("rollout")
    for step in (0, 3, 4):
        session.boundary(step, dict)
        assert (told().step, told().under_way) == (step, True)
    with session.phase("evaluate"):
        assert told().phase == "evaluate"
    assert told().phase == "rollout"
    session.close()
    assert told().phase == "finalise"


def test_reductions_of_all_sessions_stay_on_record(tmp_path):
    """What an earlier session reduced holds for the next one, and both changes are in run.json."""
    limit = SYSTEM_CLOCK.monotonic()
    for number, total in ((1, 30), (2, 20)):
        with open_session(tmp_path / "run", on_pressure="reduce") as session:
            session.scaler.soft_limit_s = float("inf")
            session.restore()
            session.scaler.observe(0, 0.0)
            session.scaler.soft_limit_s = float(total)
            session.scaler.observe(2, 2.0)
            session._write_record()
            assert session.total_timesteps == total
            assert len(read(tmp_path / "run", "run.json")["scalings"]) == number
    assert limit < SYSTEM_CLOCK.monotonic()
    assert read(tmp_path / "run", "run.json")["total_timesteps"] == 20
    assert read(tmp_path / "run", "run.json")["requested_timesteps"] == 40
