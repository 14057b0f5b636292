"""The watching process against real processes; its clock stands still where a test looks step by step."""

import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from kit.harness.archive import verify
from kit.harness.checkpoints import CheckpointStore
from kit.harness.clock import SYSTEM_CLOCK, ManualClock
from kit.harness.finalise import finalise_from_disk
from kit.harness.heartbeat import Heartbeat
from kit.harness.lock import FileLock
from kit.harness.orders import WatchdogOrders, WatchLimits
from kit.harness.run_folder import RunFolder
from kit.harness.summary import SessionLedger, read_json, write_json
from kit.harness.watchdog import Watchdog, request_stop, stop_reason
from kit.harness.watchdog_process import Watch
from tests.crash.runs import wait_until

IDLE = "import sys; sys.stdin.read()"
WATCHED = """
import os, sys
from pathlib import Path
from kit.harness.run_folder import RunFolder
from kit.harness.watchdog import Watchdog
folder = RunFolder(Path(sys.argv[1]))
dog = Watchdog(folder, float(sys.argv[2]), float(sys.argv[3]), 1, 0.0)
dog.start()
print(dog.pid, flush=True)
sys.stdin.read()
dog.stop()
print("stopped", dog.pid, flush=True)
"""
FAR_S = 1e9


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder with one checkpoint, of a run that says nothing about its end."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    write_json(folder.run_json, {"config_hash": "h", "total_timesteps": 10, "requested_timesteps": 20})
    CheckpointStore(folder.checkpoints, "h").save(7, {"state": b"s"}, exact=True)
    return folder


@pytest.fixture
def training() -> Generator[subprocess.Popen[bytes], None, None]:
    """A process that trains as long as nobody ends it."""
    with subprocess.Popen([sys.executable, "-c", IDLE], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def watch_over(folder: RunFolder, pid: int) -> tuple[Watch, ManualClock]:
    """A watch with its soft deadline in 10 s and its hard one in 20 s."""
    clock = ManualClock(monotonic=100.0)
    return Watch(WatchdogOrders(str(folder.root), pid, 110.0, 120.0, 1, 95.0), clock), clock


def start_watched(folder: RunFolder, soft_at_s: float, hard_at_s: float) -> subprocess.Popen[str]:
    """Start a process with a real watchdog."""
    command = [sys.executable, "-c", WATCHED, str(folder.root), str(soft_at_s), str(hard_at_s)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_soft_deadline_asks_once_and_the_hard_one_ends(folder, training):
    """Before it nothing; at 10 s a stop request that is not repeated; at 20 s the process is dead, all finalised."""
    watch, clock = watch_over(folder, training.pid)
    assert watch.look()
    assert stop_reason(folder) is None
    clock.advance(10.0)
    assert watch.look()
    assert stop_reason(folder) == "soft_deadline"
    folder.stop_request.unlink()
    assert watch.look()
    assert stop_reason(folder) is None
    clock.advance(10.0)
    assert not watch.look()
    # Nobody has collected its exit code, as under a parent that never asks: it is dead all the same.
    assert psutil.Process(training.pid).status() == psutil.STATUS_ZOMBIE
    assert not watch.alive()
    summary = read_json(folder.summary)
    assert (summary["status"], summary["reason"], summary["step"]) == ("stopped", "hard_deadline", 7)
    assert summary["resumable"]
    assert (summary["total_timesteps"], summary["requested_timesteps"]) == (10, 20)
    assert verify(folder.archive).ok


def test_a_process_that_died_is_finalised_as_failed(folder, training):
    """Whatever ended it, the summary says failed, the step of the last checkpoint, and that it can go on."""
    watch, _ = watch_over(folder, training.pid)
    training.kill()
    training.wait()
    assert not watch.look()
    summary = read_json(folder.summary)
    assert (summary["status"], summary["reason"]) == ("failed", "the training process died")
    assert summary["resumable"]


def test_it_wakes_for_each_deadline_and_looks_twice_a_second(folder, training):
    """It sleeps half a second at most, less when a deadline comes before, and never spins."""
    watch, clock = watch_over(folder, training.pid)
    assert watch.next_look_s() == 0.5
    clock.advance(9.8)
    assert watch.next_look_s() == pytest.approx(0.2)
    clock.advance(5.0)
    assert watch.next_look_s() == 0.005
    watch.look()
    assert watch.next_look_s() == 0.5


def test_a_real_watchdog_ends_an_idle_process_with_code_6(folder):
    """Where the interpreter still turns the process leaves by itself, with exit code 6, and all is finalised."""
    now = SYSTEM_CLOCK.monotonic()
    with start_watched(folder, now + 0.1, now + 2.0) as process:
        assert process.wait(30) == 6
    wait_until(lambda: read_json(folder.summary).get("reason") == "hard_deadline", "the summary")
    assert stop_reason(folder) == "soft_deadline"


def test_a_run_that_ended_well_is_left_alone(folder):
    """After stop() the watching process is gone and has written nothing."""
    with start_watched(folder, FAR_S, FAR_S) as process:
        dog = psutil.Process(int(process.stdout.readline()))
        assert process.communicate("")[0] == "stopped None\n"
        assert process.returncode == 0
    assert not dog.is_running() or dog.status() == psutil.STATUS_ZOMBIE
    assert not folder.summary.exists()


def test_a_killed_process_is_noticed_and_no_signal_to_its_group_reaches_the_watchdog(folder):
    """SIGKILL of the whole process group leaves the watchdog alive to make the archive."""
    with start_watched(folder, FAR_S, FAR_S) as process:
        dog = psutil.Process(int(process.stdout.readline()))
        wait_until(
            lambda: folder.watching.exists() and folder.watching.read_text() == str(dog.pid), "watching"
        )
        dog.send_signal(signal.SIGTERM)
        dog.send_signal(signal.SIGINT)
        process.kill()
        process.wait()
        with FileLock(folder.watching):  # held until everything is finalised
            assert verify(folder.archive).ok
    assert read_json(folder.summary)["status"] == "failed"


def test_a_killed_watchdog_does_no_harm(folder):
    """Without its watchdog a process goes on and stops it as usual."""
    with start_watched(folder, FAR_S, FAR_S) as process:
        psutil.Process(int(process.stdout.readline())).kill()
        assert process.communicate("")[0] == "stopped None\n"
        assert process.returncode == 0


def test_a_watchdog_in_this_process_leaves_nothing_open(folder):
    """Started and stopped twice, it has no process left and warns of nothing."""
    dog = Watchdog(folder, FAR_S, FAR_S, 1, 0.0)
    for _ in range(2):
        dog.start()
        assert psutil.pid_exists(dog.pid)
        dog.stop()
        assert dog.pid is None
    dog.stop()


def test_files_named_like_standard_modules_do_not_stop_it(folder, tmp_path, monkeypatch, caplog):
    """A signal.py in the working folder is nobody's signal module: the watchdog says that it watches."""
    for name in ("signal", "platform"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not the standard module')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    dog = Watchdog(folder, FAR_S, FAR_S, 1, 0.0)
    dog.start()
    assert dog.wait_until_watching(20)
    dog.stop()
    assert "watchdog" not in caplog.text


def test_a_watchdog_that_ends_untold_is_warned_of(folder, caplog):
    """The log says so, and when; nothing is said of one that was told to end."""
    dog = Watchdog(folder, FAR_S, FAR_S, 1, 0.0)
    dog.start()
    assert dog.wait_until_watching(20)
    psutil.Process(dog.pid).kill()
    wait_until(lambda: "has ended while it watched" in caplog.text, "the warning")
    dog.stop()


def test_a_watchdog_that_dies_is_replaced_five_times_an_hour(folder, caplog):
    """Each time another process watches by the same orders; the sixth death within an hour is the last."""
    clock = ManualClock()
    dog = Watchdog(folder, FAR_S, FAR_S, 1, 0.0, clock=clock)
    dog.start()
    for number in range(7):
        assert dog.wait_until_watching(20)
        pid = dog.pid
        psutil.Process(pid).kill()
        if number < 6:
            wait_until(lambda pid=pid: dog.pid != pid, "another one")
        if number == 4:
            clock.advance(3_600.0)
            caplog.clear()
    wait_until(lambda: "another one takes its place" in caplog.text, "the warning")
    assert "not started again" not in caplog.text
    dog.stop()


def test_a_watchdog_that_keeps_dying_is_given_up(folder, caplog):
    """Within an hour the sixth death is an error that says what is not watched any more; stop() is still fine."""
    dog = Watchdog(folder, FAR_S, FAR_S, 1, 0.0, clock=ManualClock())
    dog.start()
    for number in range(6):
        assert dog.wait_until_watching(20)
        pid = dog.pid
        psutil.Process(pid).kill()
        if number < 5:
            wait_until(lambda pid=pid: dog.pid != pid, "another one")
    wait_until(lambda: "it is not started again" in caplog.text, "the error")
    dog.stop()
    assert dog.pid is None


def test_a_wall_clock_that_jumps_changes_nothing(folder, training):
    """A year on or back, neither deadline comes and nothing hangs; both come in monotonic time."""
    watch, clock = watch_over(folder, training.pid)
    with Heartbeat(folder.heartbeat, 95.0) as heartbeat:
        heartbeat.beat(7, 10, 100.0, "rollout")
        for jump in (3.2e7, -6.4e7):
            clock._wall += jump
            assert watch.look()
        assert stop_reason(folder) is None
        assert not watch.hangs.hangs
        clock.advance(10.0)
        watch.look()
    assert stop_reason(folder) == "soft_deadline"


def test_a_hang_is_part_of_the_summary_of_its_hard_deadline(folder, training):
    """The reason stays the deadline; `hang` says that the run hung, where, and for how long; the log says it too."""
    clock = ManualClock(monotonic=100.0)
    orders = WatchdogOrders(str(folder.root), training.pid, 110.0, 120.0, 1, 95.0, WatchLimits(hang_s=8.0))
    watch = Watch(orders, clock)
    with Heartbeat(folder.heartbeat, 95.0) as heartbeat:
        heartbeat.beat(7, 10, 100.0, "rollout")
        while watch.look():
            clock.advance(1.0)
    summary = read_json(folder.summary)
    assert summary["reason"] == "hard_deadline"
    assert summary["hang"] == "hang: no heartbeat for 8s, in phase rollout at step 7"
    assert folder.log.read_text().count("The run hangs: ") == 1
    assert "ended at the hard deadline, in 12s" in folder.log.read_text()


def test_orders_come_through_as_they_were_given():
    """One line of JSON there and back, limits included."""
    limits = WatchLimits(30.0, True, 10**9, 2 * 10**9, "/output")
    orders = WatchdogOrders("/run", 1, 2.0, 3.0, 4, 5.0, limits, 40)
    assert WatchdogOrders.from_json(orders.to_json()) == orders


def test_the_first_reason_to_stop_stays(tmp_path):
    """A second request, from wherever, does not replace the first."""
    folder = RunFolder(tmp_path)
    assert stop_reason(folder) is None
    request_stop(folder, "SIGTERM")
    request_stop(folder, "SIGINT")
    assert stop_reason(folder) == "SIGTERM"


def test_a_killed_session_has_its_time_up_to_the_last_heartbeat(folder):
    """Its ledger was last written at an export; finalising and the next session know the later time."""
    ledger = SessionLedger(folder)
    ledger.begin("2026-01-01T00:00:00+00:00", 0).elapsed_s = 2.0
    ledger.save()
    with Heartbeat(folder.heartbeat, 100.0) as heartbeat:
        heartbeat.beat(7, 10, 130.5, "rollout")
    following = SessionLedger(folder)
    following.begin("2026-01-01T01:00:00+00:00", 7)
    assert [entry.elapsed_s for entry in following.entries] == [30.5, 0.0]
    assert finalise_from_disk(folder, status="failed", reason="x")["elapsed_s"] == 30.5
    ledger = SessionLedger(folder)
    assert (ledger.entries[0].end, ledger.elapsed_s) == ("x", 30.5)


def test_finalising_from_disk_says_why_a_run_is_not_exact(tmp_path):
    """The reason stands in the newest checkpoint; a run whose process died has it in its summary too."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    CheckpointStore(folder.checkpoints, "").save(
        7, {}, exact=False, extra={"inexact_reason": "threads differ"}
    )
    summary = finalise_from_disk(folder, status="failed", reason="x")
    assert (summary["exact"], summary["inexact_reason"]) == (False, "threads differ")


def test_finalising_what_holds_nothing_is_a_failed_run_at_step_0(tmp_path):
    """A run that died before its first checkpoint has a summary and an archive, and cannot be resumed."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    summary = finalise_from_disk(folder, status="failed", reason="x", session=1, elapsed_s=3.0)
    assert (summary["step"], summary["resumable"], summary["exact"]) == (0, False, None)
    assert verify(folder.archive).ok
