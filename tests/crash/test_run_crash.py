"""Whole training runs in real processes, really killed: nothing that was on disk is lost, the end is the same."""

import random
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kit.harness.archive import verify
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder
from kit.harness.watchdog import request_stop
from kit.notebooks.package import package_run
from tests.crash.faults import mounted, remount
from tests.crash.runs import (
    Process,
    assert_sound,
    beat_of,
    checkpoint_bytes,
    contents,
    finish,
    kill_watchdogs,
    newest,
    read,
    start,
    train_on,
    wait_for_step,
    wait_until,
    watchdog_of,
)
from tests.crash.trainer import KINDS

SLOWLY = ("--pause-s", "0.002")
STEPS = ("--steps", "900")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A walk that nothing happened to: its folder, and its status, step and hash."""
    out = tmp_path_factory.mktemp("uninterrupted") / "run"
    return out, train_on("walk", out, *STEPS)


# It hangs after half a second, when a checkpoint has long been written: the writer waits for the lock from then on.
HANGS = ("--steps", "3000", "--hang-at", "250", "--soft-limit", "6.5", "--hard-limit", "7.5", *SLOWLY)


@pytest.fixture(scope="module", autouse=True)
def hung(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Process]]:
    """A walk that hangs, started early: until its hard deadline the other tests go on."""
    out = tmp_path_factory.mktemp("hung") / "run"
    process = start("walk", out, *HANGS)
    with process:
        yield out, process
        process.kill()


def assert_continues(out: Path, whole: tuple[Path, list[str]]) -> None:
    """Run again, the walk ends in the rows, weights and checkpoint of the one that nothing happened to."""
    assert train_on("walk", out, *STEPS) == whole[1]
    assert (out / "metrics.csv").read_bytes() == (whole[0] / "metrics.csv").read_bytes()
    assert checkpoint_bytes(out) == checkpoint_bytes(whole[0])
    assert_sound(out)


def kill_at(kind: str, out: Path, step: int, *arguments: str) -> int:
    """Start a trainer, SIGKILL it once its heartbeat tells that step or let it end; return its exit code."""
    process = start(kind, out, *arguments)
    try:
        wait_until(
            lambda: process.poll() is not None or beat_of(out).step >= step,
            f"step {step}",
        )
        process.kill()
    finally:
        code, _, _ = finish(process)
    with FileLock(RunFolder(out).watching):  # its watchdog finalises what it left
        assert_sound(out)
    return code


def assert_kills_do_not_matter(kind: str, folder: Path, kills: int, steps: int, *arguments: str) -> None:
    """Killed at random steps and run again, a run ends in the rows and bytes of one that never was."""
    arguments = ("--steps", str(steps), *arguments)
    whole = train_on(kind, folder / "whole", *arguments)
    rng = random.Random(kind)
    for step in sorted(rng.sample(range(1, steps - 20), kills)):
        kill_at(kind, folder / "cut", step, *arguments)
    assert train_on(kind, folder / "cut", *arguments) == whole
    assert (folder / "cut/metrics.csv").read_bytes() == (folder / "whole/metrics.csv").read_bytes()
    if "cartpole" not in kind:
        assert checkpoint_bytes(folder / "cut") == checkpoint_bytes(folder / "whole")
    assert_sound(folder / "cut")


def test_killed_twice_a_loop_of_ones_own_ends_as_if_it_never_was(tmp_path, whole):
    """SIGKILL at two random steps: the folder verifies each time, and the end is the same to the last bit."""
    for step in sorted(random.Random(2).sample(range(1, 600), 2)):
        assert kill_at("walk", tmp_path / "cut", step, *STEPS, *SLOWLY) == -signal.SIGKILL
    assert_continues(tmp_path / "cut", whole)


@pytest.mark.slow
def test_killed_once_dqn_ends_as_if_it_never_was(tmp_path):
    """SIGKILL of DQN on the embedded traffic environment at a random step: the end is the same to the last bit."""
    assert_kills_do_not_matter("dqn-traffic-2", tmp_path, 1, 800)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_again_and_again(tmp_path, kind):
    """Each workload killed six times at random steps ends as if it never was."""
    slowly = SLOWLY if kind in ("walk", "torch") else ()
    assert_kills_do_not_matter(kind, tmp_path, 6, 2_000, *slowly)


@pytest.mark.slow
def test_killed_thirty_times_at_any_instant(tmp_path):
    """Killed at instants of the clock, the imports, the checkpoints and the end included: nothing is lost."""
    arguments = ("--steps", "2000", *SLOWLY)
    whole = train_on("walk", tmp_path / "whole", *arguments)
    rng = random.Random(30)
    for _ in range(30):
        process = start("walk", tmp_path / "cut", *arguments)
        try:
            finish(process, rng.uniform(0.05, 2.0))
        except subprocess.TimeoutExpired:
            process.kill()
            finish(process)
        with FileLock(RunFolder(tmp_path / "cut").watching):
            if (tmp_path / "cut/checkpoints").exists():
                assert_sound(tmp_path / "cut")
    assert train_on("walk", tmp_path / "cut", *arguments) == whole
    assert (tmp_path / "cut/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()


def test_the_soft_deadline_ends_a_run_without_its_watchdog(tmp_path):
    """With each watchdog killed, training goes on and still stops, resumable, at the soft deadline."""
    process = start("walk", tmp_path / "run", "--steps", "100000", "--soft-limit", "4", *SLOWLY)
    wait_for_step(tmp_path / "run", 1)
    kill_watchdogs(process.pid, 6)
    at = beat_of(tmp_path / "run").step
    code, output, errors = finish(process)
    assert code == 0, errors
    summary = read(tmp_path / "run")
    assert output.startswith("stopped")
    assert (summary["reason"], summary["resumable"]) == ("soft_deadline", True)
    assert summary["step"] > at
    assert verify(tmp_path / "run/artifacts.zip").ok


@pytest.mark.slow
def test_a_signal_stops_softly_and_a_second_loses_nothing(tmp_path, whole):
    """SIGTERM ends in a checkpoint at a boundary; a second at once may kill, and the folder still continues."""
    out = tmp_path / "run"
    process = start("walk", out, *STEPS, *SLOWLY)
    wait_for_step(out, 100)
    process.send_signal(signal.SIGTERM)
    code, output, _ = finish(process)
    assert code == 0
    assert output.startswith("stopped")
    assert read(out)["reason"] == "SIGTERM"
    process = start("walk", out, *STEPS, *SLOWLY)
    wait_for_step(out, read(out)["step"] + 100)
    for number in (signal.SIGINT, signal.SIGINT):
        process.send_signal(number)
    finish(process)
    with FileLock(RunFolder(out).watching):
        assert read(out)["status"] == "stopped"
    assert_continues(out, whole)


def test_a_run_killed_with_its_watchdog_can_be_packaged_and_continued(tmp_path, whole):
    """With nobody left to finalise, `package` makes summary and archive; an earlier summary does not stand for it."""
    out = tmp_path / "run"
    train_on("walk", out, *STEPS, "--cut-at", "100")
    process = start("walk", out, *STEPS, *SLOWLY)
    wait_for_step(out, 300)
    wait_until(lambda: newest(out).name > "step-000000200", "a checkpoint of this session")
    dog = watchdog_of(process.pid)
    for victim in (dog, psutil.Process(process.pid)):
        victim.suspend()
    dog.kill()
    process.kill()
    finish(process)
    summary = package_run(out)
    assert (summary["status"], summary["resumable"], summary["sessions"]) == ("failed", True, 2)
    assert summary["step"] > 200
    assert verify(out / "artifacts.zip").ok
    assert (out / "report.html").exists()
    assert_continues(out, whole)


def test_a_full_disk_keeps_the_checkpoint_before_and_says_so(tmp_path, whole):
    """Without room the run ends with a StorageError; with room again it continues and ends the same."""
    with mounted(tmp_path / "disk", "size=4m") as disk:
        process = start("walk", disk / "run", *STEPS, *SLOWLY)
        wait_for_step(disk / "run", 100)
        wait_until(lambda: any((disk / "run/checkpoints").glob("step-*")), "a checkpoint")
        ballast = disk / "ballast"
        fill(ballast)
        code, _, errors = finish(process)
        assert code == 1
        assert "StorageError" in errors
        assert "No space left" in errors
        with FileLock(RunFolder(disk / "run").watching):
            ballast.unlink()
        assert_sound(disk / "run")
        assert_continues(disk / "run", whole)


def fill(path: Path) -> None:
    """Take all the room that is left."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        endlessly(file)


def endlessly(file: object) -> None:
    """Write until it fails."""
    while file.write(bytes(4096)):
        pass


@pytest.mark.slow
def test_a_read_only_disk_keeps_the_checkpoint_before_and_says_so(tmp_path, whole):
    """A run that cannot write its folder ends at once with a StorageError; writable again, it continues."""
    with mounted(tmp_path / "disk", "size=16m") as disk:
        train_on("walk", disk / "run", *STEPS, "--cut-at", "100")
        before = contents(disk / "run")
        remount(disk, "ro")
        code, _, errors = finish(start("walk", disk / "run", *STEPS))
        assert code == 1
        assert "StorageError: The run folder cannot be written" in errors
        assert contents(disk / "run") == before
        remount(disk, "rw")
        assert_continues(disk / "run", whole)


@pytest.mark.slow
def test_a_file_size_limit_keeps_the_checkpoint_before(tmp_path, whole):
    """With RLIMIT_FSIZE below a checkpoint the run ends with a StorageError, and the one before still loads."""
    out = tmp_path / "run"
    train_on("walk", out, *STEPS, "--cut-at", "50")
    before = checkpoint_bytes(out)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

    code, _, errors = finish(start("walk", out, *STEPS, *SLOWLY, preexec_fn=limit))
    assert code == 1
    assert "StorageError" in errors
    assert "File too large" in errors
    assert checkpoint_bytes(out) == before
    assert_continues(out, whole)


@pytest.mark.slow
def test_a_stop_request_from_anywhere_is_taken_at_the_next_boundary(tmp_path):
    """A file in the run folder is enough; the next session finds no request left over."""
    process = start("walk", tmp_path / "run", "--steps", "100000", *SLOWLY)
    wait_for_step(tmp_path / "run", 50)
    request_stop(RunFolder(tmp_path / "run"), "a person")
    code, output, errors = finish(process)
    assert (code, output.split()[0]) == (0, "stopped"), errors
    assert read(tmp_path / "run")["reason"] == "a person"
    status, step, _ = train_on("walk", tmp_path / "run", "--steps", "100000", "--cut-at", "5000")
    assert (status, step) == ("stopped", "5000")


@pytest.mark.slow
def test_a_second_process_is_refused_and_told_who_is_there(tmp_path):
    """RunLockedError names the pid of the first, which goes on as if nothing had been."""
    first = start("walk", tmp_path / "run", *STEPS, *SLOWLY)
    wait_for_step(tmp_path / "run", 10)
    code, _, errors = finish(start("walk", tmp_path / "run", *STEPS))
    assert code == 1
    assert f"(pid {first.pid})" in errors
    assert "RunLockedError" in errors
    assert finish(first)[1].startswith("complete 900")


def test_a_hung_native_call_is_ended_at_the_hard_deadline(hung):
    """A call that keeps the interpreter's lock is killed, and the run is finalised: stopped, resumable, archived."""
    out, process = hung
    code, _, _ = finish(process)
    assert code == -signal.SIGKILL
    with FileLock(RunFolder(out).watching):
        summary = read(out)
    assert (summary["status"], summary["reason"], summary["resumable"]) == ("stopped", "hard_deadline", True)
    assert 7.5 <= summary["elapsed_s"] < 30
    assert verify(out / "artifacts.zip").ok
    status, step, _ = train_on("walk", out, "--steps", "3000", "--cut-at", "310")
    assert (status, step) == ("stopped", "310")
