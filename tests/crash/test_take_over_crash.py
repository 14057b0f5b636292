"""Taking over under real kills: at any instant there is no run in the folder, or the whole one."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kit.harness.run_folder import RunFolder
from kit.harness.store import is_temporary, regular_files
from kit.harness.take_over import take_over
from tests.crash.faults import FILE_CALLS, mounted, need_strace, remount
from tests.crash.saver import MARK
from tests.harness.test_take_over import ASKED, left_behind

CALLS = (*FILE_CALLS, "linkat", "link")


def command(inputs: Path, folder: Path) -> list[str]:
    """Return the command of a process that takes over."""
    return [sys.executable, "-m", "tests.crash.taker", str(inputs), str(folder)]


def calls_of_it(strace: str, inputs: Path, folder: Path) -> list[tuple[str, int]]:
    """Return (call, its number among those of that name) for each file call between the two marks."""
    log = folder.with_name("trace")
    watched = ",".join((*CALLS, "access"))
    traced = [strace, "-f", "-qq", "-o", str(log), "-e", f"trace={watched}", *command(inputs, folder)]
    subprocess.run(traced, check=True)
    seen: Counter[str] = Counter()
    points: list[tuple[str, int]] = []
    for line in log.read_text().splitlines():
        match = re.match(r"\d+ +(\w+)\(", line)
        if match is None:
            continue
        seen[match[1]] += 1
        if f'{MARK}"' in line:
            points = []
        elif MARK in line:
            break
        elif match[1] != "access":
            points.append((match[1], seen[match[1]]))
    return points


def own_files(root: Path) -> dict[str, bytes]:
    """Return the files of a run by name, without what only its processes share."""
    return {name: path.read_bytes() for name, path in regular_files(root) if not name.startswith(".kit/")}


def assert_nothing_or_whole(strace: str, tmp_path: Path, name: str, call: str, when: int) -> bool:
    """Killed at that call, the folder holds no run or the source's; the next attempt makes it whole. Whether it was."""
    inputs, folder = tmp_path / "input", tmp_path / name / "walk"
    folder.parent.mkdir()
    fault = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}"]
    killed = subprocess.run(
        [strace, "-f", "-qq", "-o", os.devnull, *fault, *command(inputs, folder)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    run = RunFolder(folder)
    whole = run.holds_a_run()
    run.refuse_foreign()
    assert own_files(folder) == (own_files(inputs / "first/walk") if whole else {})
    if not whole:
        run.create()
        assert take_over(inputs, run, ASKED) is not None
    assert own_files(folder) == own_files(inputs / "first/walk")
    if not whole:
        assert not [path for path in folder.parent.rglob("*") if is_temporary(path.name)]
    return whole


@pytest.fixture
def points(tmp_path):
    """The calls of a take-over from ``input`` that was not disturbed."""
    left_behind(tmp_path / "input/first/walk", 10, 20)
    (tmp_path / "traced").mkdir()
    return calls_of_it(need_strace(), tmp_path / "input", tmp_path / "traced/walk")


def test_killed_at_the_calls_that_matter(tmp_path, points):
    """Before, at and after the one step in which the folders change places."""
    swap = next(index for index, (call, _) in enumerate(points) if call == "renameat2")
    chosen = [points[0], points[swap // 2], points[swap], points[swap + 1]]
    found = [
        assert_nothing_or_whole(need_strace(), tmp_path, f"{number}", *point)
        for number, point in enumerate(chosen)
    ]
    assert found == [False, False, False, True] or found == [False, False, True, True]


@pytest.mark.slow
def test_killed_at_every_file_call(tmp_path, points):
    """At each file system call in turn: nothing or the whole run, and the next attempt has it."""
    assert len(points) >= 20
    for number, point in enumerate(points):
        assert_nothing_or_whole(need_strace(), tmp_path, f"{number}", *point)


def test_inputs_that_cannot_be_written_are_enough(tmp_path):
    """From a file system that is mounted read-only, as Kaggle mounts its inputs."""
    with mounted(tmp_path / "input", "size=1m") as inputs:
        left_behind(inputs / "first/walk", 10)
        remount(inputs, "ro")
        folder = RunFolder(tmp_path / "working/walk")
        folder.create()
        assert take_over(inputs, folder, ASKED) is not None
        assert own_files(folder.root) == own_files(inputs / "first/walk")
