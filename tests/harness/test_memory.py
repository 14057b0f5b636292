"""Memory: what a tree of processes holds, what the machine has left, and when that is too little."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kit.harness import memory_watch
from kit.harness.memory import Room, machine_room, tree_bytes
from kit.harness.memory_watch import MemoryWatch, family

MB = 10**6
FORKS = """
import os, sys
held = bytearray(b"x" * 60_000_000)
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print("ready", flush=True)
sys.stdin.read()
os.wait()
"""


@pytest.fixture
def forked() -> Iterator[int]:
    """A process that holds 60 MB, and a forked child that shares them; its pid."""
    command = [sys.executable, "-c", FORKS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.stdin.close()


def test_pages_that_a_fork_shares_are_counted_once(forked):
    """The quick figure counts them for parent and child; the precise one, asked for near a limit, does not."""
    tree = family(forked)
    assert len(tree) == 2
    assert tree_bytes(tree, precise=False) > 110 * MB
    assert 55 * MB < tree_bytes(tree, precise=True) < 90 * MB
    assert MemoryWatch(forked, 150 * MB).look(0.0, 0.0, 0) is None


def test_what_has_gone_holds_nothing():
    """A process that ends between two looks does not disturb."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        gone = psutil.Process(process.pid)
    assert tree_bytes([gone], precise=False) == 0
    assert tree_bytes([gone], precise=True) == 0
    assert family(process.pid) == []


def group(folder: Path, limit: str, used: int, cache: int, version: int) -> None:
    """Write what the kernel shows of a control group."""
    folder.mkdir(parents=True, exist_ok=True)
    names = (
        ("memory.max", "memory.current")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    (folder / names[0]).write_text(limit + "\n")
    (folder / names[1]).write_text(f"{used}\n")
    prefix = "total_" if version == 1 else ""
    own = "" if version == 2 else "inactive_file 1\nactive_file 1\n"
    (folder / "memory.stat").write_text(f"{own}{prefix}inactive_file {cache}\n{prefix}active_file 0\n")


@pytest.mark.parametrize("version", [1, 2])
def test_the_tightest_control_group_decides(tmp_path, version):
    """Own or above, versions 1 and 2; file cache counts as free; a group without a limit does not count."""
    root = tmp_path / "cgroup"
    base = root / "memory" if version == 1 else root
    group(base / "a/b", str(2**63 - 4096) if version == 1 else "max", 30 * MB, 5 * MB, version)
    group(base / "a", str(50 * MB), 45 * MB, 6 * MB, version)
    group(base, str(90 * MB), 50 * MB, 0, version)
    mine = tmp_path / "mine"
    mine.write_text("4:memory:/a/b\n" if version == 1 else "0::/a/b\n")
    assert machine_room(mine, root) == Room(50 * MB, 11 * MB)


def test_without_control_groups_the_physical_memory_decides(tmp_path):
    """What is really available of it."""
    room = machine_room(tmp_path / "none", tmp_path)
    assert room.limit_bytes == psutil.virtual_memory().total
    assert 0 < room.left_bytes <= room.limit_bytes


def follow(
    watch: MemoryWatch, monkeypatch: pytest.MonkeyPatch, lefts: list[int], boundary_s: float
) -> list[str]:
    """Feed readings of what is left of 1 GB, a second apart; return the reasons to stop."""
    wishes = []
    for at, left in enumerate(lefts):
        room = Room(1_000 * MB, left)
        monkeypatch.setattr(memory_watch, "machine_room", lambda room=room: room)
        wishes.append(watch.look(float(at), boundary_s, 0))
    return [wish for wish in wishes if wish]


def test_a_leak_is_stopped_while_the_next_boundary_still_fits(monkeypatch):
    """10 MB/s with a boundary every 10 s: the run stops with about 200 MB left, not at the last."""
    lefts = [600 * MB - 10 * MB * at for at in range(60)]
    wishes = follow(MemoryWatch(os.getpid(), None), monkeypatch, lefts, 10.0)
    assert "190.0 MB left of 1.0 GB, growing 10.0 MB/s" in wishes[0]


def test_one_big_allocation_is_no_leak(monkeypatch):
    """A replay buffer that takes most of the memory at once, and then nothing more, stops nobody."""
    lefts = [900 * MB] * 10 + [250 * MB] * 30
    watch = MemoryWatch(os.getpid(), None)
    assert follow(watch, monkeypatch, lefts, 60.0) == []
    assert watch.take_warning() is None


def test_getting_short_is_warned_of_once(monkeypatch):
    """Below a fifth, one warning; it does not come again."""
    watch = MemoryWatch(os.getpid(), None)
    assert follow(watch, monkeypatch, [300 * MB, 180 * MB, 175 * MB], 0.0) == []
    assert "180.0 MB left of 1.0 GB" in str(watch.take_warning())
    assert watch.take_warning() is None


def test_a_stop_needs_room_for_two_checkpoints(monkeypatch):
    """The snapshot and its encoded files: what is left must hold both, beside the report."""
    monkeypatch.setattr(memory_watch, "machine_room", lambda: Room(1_000 * MB, 220 * MB))
    watch = MemoryWatch(os.getpid(), None)
    assert watch.look(0.0, 0.0, 70 * MB) is None
    assert "memory: " in str(watch.look(1.0, 0.0, 90 * MB))
