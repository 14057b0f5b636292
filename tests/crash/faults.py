"""Faults for crash tests: kills at random and at system calls, failing calls, full and read-only disks."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.saver import MARK

FILE_CALLS = (
    "openat",
    "mkdir",
    "write",
    "fsync",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "ftruncate",
)
"""The calls that change what is on disk, and those that lead to them."""


def command(kind: str, folder: Path, count: int) -> list[str]:
    """Return the command of a process that saves ``count`` times."""
    return [sys.executable, "-m", "tests.crash.saver", kind, str(folder), str(count)]


def kill_after(kind: str, folder: Path, acknowledged: int) -> int:
    """Kill an endless saver once it has acknowledged N saves; return its last number.

    It is killed at whatever instruction of the next saves it has come to.
    """
    with subprocess.Popen(command(kind, folder, 10**9), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledged)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().split()
        assert process.wait() == -signal.SIGKILL
    return int(lines[-1])


def need_strace() -> str:
    """Return the path of strace; skips the test where it is missing or may not trace."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: faults at system calls cannot be injected")
    if subprocess.run([strace, "-qq", "-o", os.devnull, "true"], check=False, capture_output=True).returncode:
        pytest.skip("strace may not trace processes here")
    return strace


def calls_of_the_last_save(strace: str, kind: str, folder: Path, count: int) -> list[tuple[str, int]]:
    """Return (call, its number among those of that name) for each file call in the last of ``count``."""
    log = folder.with_name(folder.name + ".strace")
    calls = ",".join((*FILE_CALLS, "access"))
    traced = [strace, "-f", "-qq", "-o", str(log), "-e", f"trace={calls}", *command(kind, folder, count)]
    subprocess.run(traced, check=True, stdout=subprocess.DEVNULL)
    seen: Counter[str] = Counter()
    points: list[tuple[str, int]] = []
    for line in log.read_text().splitlines():
        match = re.match(r"\d+ +(\w+)\(", line)
        if match is None:
            continue
        seen[match[1]] += 1
        if MARK in line:
            points = []
        elif match[1] != "access":
            points.append((match[1], seen[match[1]]))
    return points


def run_with_fault(
    strace: str, kind: str, folder: Path, count: int, call: str, fault: str
) -> subprocess.CompletedProcess[str]:
    """Run a saver with ``fault`` (``signal=KILL:when=3``, ``error=EIO:when=2``) at a system call."""
    injected = [strace, "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:{fault}"]
    return subprocess.run(
        [*injected, *command(kind, folder, count)], check=False, capture_output=True, text=True
    )


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Give a small tmpfs, for full and read-only disks; skips the test where mounting is not allowed."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change the options of a mounted file system."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True, capture_output=True)
