"""Training processes for crash tests: started, watched from outside, and compared by what they leave."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from kit.harness.heartbeat import Beat, read_beat
from kit.harness.run_folder import RunFolder
from kit.harness.verify import verify
from kit.tensors import decode, encode

Process = subprocess.Popen[str]


def start(kind: str, out: Path, *arguments: str, **options: Any) -> Process:
    """Start a trainer on ``out``."""
    command = [sys.executable, "-m", "tests.crash.trainer", kind, str(out), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finish(process: Process, within_s: float = 120.0) -> tuple[int, str, str]:
    """Wait for a process; return its exit code and what it printed."""
    output, errors = process.communicate(timeout=within_s)
    return process.returncode, output.strip(), errors


def train_on(kind: str, out: Path, *arguments: str) -> list[str]:
    """Train in a fresh process until it leaves by itself; return status, step and hash of the weights."""
    code, output, errors = finish(start(kind, out, *arguments))
    assert code == 0, errors
    return output.split()


def wait_until(true: Callable[[], Any], what: str, within_s: float = 60.0) -> None:
    """Look until something is so; fail when it does not come."""
    for _ in range(round(within_s / 0.02)):
        if true():
            return
        threading.Event().wait(0.02)
    pytest.fail(f"not within {within_s} s: {what}")


def beat_of(out: Path) -> Beat:
    """Return where the run stands by its heartbeat; step -1 before the first."""
    return read_beat(RunFolder(out).heartbeat) or Beat(-1, 0, 0.0, 0.0, 0.0, "")


def wait_for_step(out: Path, step: int) -> None:
    """Wait until the run is at ``step`` or past it."""
    wait_until(lambda: beat_of(out).step >= step, f"step {step}, last seen: {beat_of(out)}")


def watchdog_of(pid: int) -> psutil.Process | None:
    """Return the watching process of a training process."""
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):  # one that has just died
            if any("watchdog_process" in word for word in child.cmdline()):
                return child
    return None


def kill_watchdogs(pid: int, times: int) -> None:
    """SIGKILL the watching process of a training process, and those that take its place."""
    killed: list[psutil.Process] = []
    for _ in range(times):
        wait_until(lambda: (dog := watchdog_of(pid)) is not None and dog not in killed, "a watchdog")
        dog = next(one for one in [watchdog_of(pid)] if one is not None)
        killed.append(dog)
        dog.kill()


def read(out: Path, name: str = "summary.json") -> dict[str, Any]:
    """Return a JSON file of a run."""
    content: dict[str, Any] = json.loads((out / name).read_text())
    return content


def newest(out: Path) -> Path:
    """Return the folder of the newest checkpoint."""
    return max((out / "checkpoints").iterdir())


def checkpoint_bytes(out: Path) -> dict[str, bytes]:
    """Return the files of the newest checkpoint by name."""
    return {path.name: path.read_bytes() for path in newest(out).iterdir()}


def without_clock_times(out: Path) -> dict[str, bytes]:
    """Return what the newest checkpoint holds, encoded again without the clock times that gymnasium's wrappers keep."""
    tree = decode(checkpoint_bytes(out))["tree"]
    for episode in tree["model"]["episodes"]:
        episode.pop("t")
    tree["model"]["environment"].pop("envs")
    return encode(tree)


def assert_sound(out: Path) -> None:
    """Everything that is on disk is what was written, whatever instant the process died at."""
    report = verify(out)
    assert report.ok, report.to_json()


def contents(out: Path) -> dict[str, bytes]:
    """Return every file of a run folder by name, but for what processes tell each other in ``.kit``."""
    files = (path for path in out.rglob("*") if path.is_file())
    named = {path.relative_to(out).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(".kit/")}
