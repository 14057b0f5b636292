"""The watchdog over real training: memory and disk that run out, hangs, and its own death."""

import random
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from kit.harness.archive import verify
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder
from kit.harness.watchdog import EXIT_HARD_DEADLINE
from tests.crash.faults import mounted
from tests.crash.runs import (
    Process,
    assert_sound,
    finish,
    kill_watchdogs,
    read,
    start,
    train_on,
    wait_for_step,
    wait_until,
    watchdog_of,
)

SLOWLY = ("--pause-s", "0.004")


def log_of(out: Path) -> str:
    """Return the run's log."""
    return RunFolder(out).log.read_text()


def assert_stopped(out: Path, process: Process, reason: str) -> None:
    """The run ended by itself, resumable and archived, for that reason."""
    code, output, errors = finish(process)
    assert (code, output.split()[0]) == (0, "stopped"), errors
    summary = read(out)
    assert summary["reason"].startswith(reason)
    assert summary["resumable"]
    assert verify(out / "artifacts.zip").ok
    assert_sound(out)


@pytest.mark.slow
def test_memory_that_grows_to_its_limit_ends_in_a_stop_that_continues_exactly(tmp_path):
    """A leaking walk stops before the limit, and the next session ends like one that never leaked."""
    out, whole = tmp_path / "run", tmp_path / "whole"
    leak = ("--grow-mb-per-step", "0.3", "--memory-limit", "300MB")
    assert_stopped(out, start("walk", out, "--steps", "2000", *leak, *SLOWLY), "memory: ")
    summary = read(out)
    assert 0 < summary["step"] < 800
    assert 100e6 < summary["peaks"]["memory_bytes"] < 300e6
    assert train_on("walk", out, "--steps", "2000") == train_on("walk", whole, "--steps", "2000")
    assert (out / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


@pytest.mark.slow
def test_a_disk_that_fills_up_is_pruned_and_then_the_run_stops_cleanly(tmp_path):
    """On a small file system old checkpoints go first; then the run stops with its archive, and continues."""
    with mounted(tmp_path / "disk", "size=8m") as disk:
        out = disk / "run"
        process = start("walk", out, "--steps", "100000", *SLOWLY)
        wait_for_step(out, 100)
        wait_until(lambda: any((out / "checkpoints").glob("step-*")), "a checkpoint")
        for name, left, said in (("ballast", 1_600_000, "Pruned: "), ("more", 900_000, "Stopping at step")):
            (disk / name).write_bytes(bytes(psutil.disk_usage(str(disk)).free - left))
            wait_until(lambda said=said: said in log_of(out), said)
        assert_stopped(out, process, "disk: ")
        (disk / "ballast").unlink()
        (disk / "more").unlink()
        at = read(out)["step"]
        assert train_on("walk", out, "--steps", "100000", "--cut-at", str(at + 50))[0] == "stopped"


@pytest.mark.slow
@pytest.mark.slow
def test_a_disk_that_is_full_to_the_last_byte_ends_the_run_and_loses_nothing_before(tmp_path):
    """No checkpoint, no summary and no stop's reason can be written; with room again the run ends like one apart."""
    whole = train_on("walk", tmp_path / "whole", "--steps", "1500")
    with mounted(tmp_path / "disk", "size=8m") as disk:
        out = disk / "run"
        process = start("walk", out, "--steps", "1500", *SLOWLY)
        wait_for_step(out, 100)
        wait_until(lambda: any((out / "checkpoints").glob("step-*")), "a checkpoint")
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        code, output, _ = finish(process)
        assert code != 0 or output.split()[0] != "complete"
        (disk / "ballast").unlink()
        assert any((out / "checkpoints").glob("step-*"))
        assert train_on("walk", out, "--steps", "1500") == whole
        assert (out / "metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()


def test_a_disk_limit_is_kept_with_the_archive_counted(tmp_path):
    """A folder too big for another archive of itself stops at once, and ends below the limit."""
    out = tmp_path / "run"
    train_on("walk", out, "--steps", "100000", "--cut-at", "50")
    (out / "best").mkdir()
    (out / "best/model").write_bytes(random.Random(1).randbytes(1_000_000))
    process = start("walk", out, "--steps", "100000", "--disk-limit", "3MB", *SLOWLY)
    assert_stopped(out, process, "disk: ")
    assert sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) < 3_000_000


def test_a_hang_is_reported_with_every_stack_before_it_is_ended(tmp_path):
    """With --end-hang: a native call that keeps the lock is named in stacks.txt, said on stderr, and ended."""
    out = tmp_path / "run"
    hang = ("--hang-at", "200", "--hang-limit", "1s", "--end-hang")
    process = start("walk", out, "--steps", "3000", *hang, *SLOWLY)
    code, _, errors = finish(process)
    assert code == -signal.SIGKILL
    with FileLock(RunFolder(out).watching):
        summary = read(out)
    assert (summary["status"], summary["resumable"]) == ("failed", True)
    assert summary["reason"] == summary["hang"]
    assert "in phase rollout at step 200" in summary["reason"]
    stacks = (out / "logs/stacks.txt").read_text()
    assert " in hang\n" in stacks
    assert " in _obey\n" in stacks
    assert "The run hangs: " in errors
    assert "The run hangs: " in log_of(out)
    assert verify(out / "artifacts.zip").ok


@pytest.mark.slow
def test_a_run_that_was_only_slow_goes_on_and_says_so(tmp_path):
    """A process that stands still for longer than the limit is reported once, and completes."""
    out = tmp_path / "run"
    process = start("walk", out, "--steps", "600", "--hang-limit", "0.7s", *SLOWLY)
    wait_for_step(out, 50)
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: "The run hangs: " in log_of(out), "the report")
    process.send_signal(signal.SIGCONT)
    code, output, errors = finish(process)
    assert (code, output.split()[0]) == (0, "complete"), errors
    assert log_of(out).count("The run hangs: ") == 1
    assert "The run goes on" in log_of(out)
    assert "hang" not in read(out)


@pytest.mark.slow
def test_a_killed_watchdog_is_replaced_and_the_hard_deadline_still_holds(tmp_path):
    """The new one watches the same process by the same orders, and ends its hang; none is left over."""
    out = tmp_path / "run"
    limits = ("--soft-limit", "4.5", "--hard-limit", "5")
    process = start("walk", out, "--steps", "3000", "--hang-at", "300", *limits, *SLOWLY)
    wait_for_step(out, 1)
    first = watchdog_of(process.pid)
    first.kill()
    wait_until(
        lambda: (dog := watchdog_of(process.pid)) is not None and dog.pid != first.pid, "a new watchdog"
    )
    second = watchdog_of(process.pid)
    assert finish(process)[0] == -signal.SIGKILL
    assert "another one takes its place" in log_of(out)
    with FileLock(RunFolder(out).watching):
        assert read(out)["reason"] == "hard_deadline"
    wait_until(lambda: not second.is_running(), "its end")


@pytest.mark.slow
def test_a_watchdog_killed_again_and_again_is_given_up_and_training_completes(tmp_path):
    """Five times it is replaced; the sixth death is an error in the log, and the run completes without one."""
    out = tmp_path / "run"
    process = start("walk", out, "--steps", "5000", *SLOWLY)
    wait_for_step(out, 1)
    kill_watchdogs(process.pid, 6)
    wait_until(lambda: "it is not started again" in log_of(out), "the error")
    assert watchdog_of(process.pid) is None
    code, output, errors = finish(process)
    assert (code, output.split()[:2]) == (0, ["complete", "5000"]), errors
    assert log_of(out).count("another one takes its place") == 5


@pytest.mark.slow
def test_a_watchdog_killed_after_it_asked_for_a_stop_is_replaced_by_one_that_keeps_to_it(tmp_path):
    """The request stays as it is, and the new one ends the run, whose step lasts longer, at the hard deadline."""
    out = tmp_path / "run"
    limits = ("--soft-limit", "4", "--hard-limit", "7")
    process = start("walk", out, "--steps", "3000", "--pause-s", "60", *limits)
    wait_until(lambda: RunFolder(out).stop_request.exists(), "the request")
    first = watchdog_of(process.pid)
    first.kill()
    assert finish(process)[0] == EXIT_HARD_DEADLINE
    with FileLock(RunFolder(out).watching):
        assert read(out)["reason"] == "hard_deadline"
    assert RunFolder(out).stop_request.read_text() == "soft_deadline"
    assert "another one takes its place" in log_of(out)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("stops", [False, True])
def test_a_signal_twice_in_a_row_loses_nothing(tmp_path, number, stops):
    """The second finds the default handler; whatever it cuts short, the run continues to the same end.

    It comes at once, or when the session stops: it is writing its last checkpoint, or finalising.
    """
    out, whole = tmp_path / "run", tmp_path / "whole"
    process = start("walk", out, "--steps", "900", *SLOWLY)
    wait_for_step(out, 200)
    process.send_signal(number)
    if stops:
        wait_until(lambda: "Stopping at step" in log_of(out), "the stop")
    process.send_signal(number)
    finish(process)
    with FileLock(RunFolder(out).watching):
        assert read(out)["status"] in ("stopped", "failed")
        assert_sound(out)
    assert train_on("walk", out, "--steps", "900") == train_on("walk", whole, "--steps", "900")
