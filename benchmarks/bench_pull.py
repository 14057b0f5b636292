"""A pull of a 4 GB archive from a server on loopback: at what speed it comes to the disk, and what it holds in memory.

Beside it, in turn: the real client's ``kaggle kernels output`` of the same file, which holds it in memory and syncs
nothing, and a plain copy (urllib, in pieces, then fsync). Each is a process of its own; before each the disk is at rest
and the served file in the page cache, so that neither is measured. Memory is the peak above that of the same
command for a tiny run. ``--bytes`` takes another size; where the disk has no room for three of it, what fits is taken.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.one_download import PIECE
from benchmarks.watched_process import Watched, watch
from kit.harness.size import format_size, parse_size
from kit.harness.verify import ARCHIVE
from tests.remote.kaggle_server import KaggleServer, ask, push
from tests.remote.kaggle_server.cli import PROGRAM
from tests.remote.large_run import large_output, leaving
from tests.remote.made_runs import PREFIX, make_runs

SIZE = 4 * 10**9
REPEATS = 3
BAR_MB = 100.0
COPIES = 3
"""How many of the size are on the disk at once: served, pulled, unpacked."""
SPARE_BYTES = 2 * 10**9
HELD = 2.5
"""What the client needs of memory for each byte of a file, with room to spare: it joins the pieces at the end."""
TINY, LARGE = "a-tiny-run", "a-large-run"
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Took:
    """One file brought one way: seconds until it was on disk, of the whole command, and its peak of memory in bytes."""

    to_disk_s: float
    command_s: float
    peak_bytes: int


@dataclass
class Way:
    """A way to bring a kernel's archive into a folder: for the tiny run once, for the large one again and again."""

    bring: Callable[[str, Path], Took]
    tiny: Took = Took(0.0, 0.0, 0)
    large: list[Took] = field(default_factory=list)

    @property
    def to_disk_s(self) -> float:
        """The median, seconds."""
        return statistics.median(took.to_disk_s for took in self.large)

    @property
    def command_s(self) -> float:
        """The median, seconds."""
        return statistics.median(took.command_s for took in self.large)

    @property
    def above_mb(self) -> float:
        """The highest peak of memory above that of the tiny run, MB."""
        return (max(took.peak_bytes for took in self.large) - self.tiny.peak_bytes) / 1e6


class Ways:
    """Brings archives from ``server``, each in a process of its own with the account in ``home``."""

    def __init__(self, server: KaggleServer, home: Path) -> None:
        self._server, self._environ = server, server.environ(home)

    def ours(self, slug: str, folder: Path) -> Took:
        """Pull with the real command; on disk is the archive once its download has synced it."""
        out = folder / "run"
        done = self._run([*_one_download("pull"), f"{self._server.user}/{slug}", out])
        found, seconds = map(json.loads, done.out.splitlines()[-2:])
        if (found["source"], found["ok"]) != ("archive", True):
            raise SystemExit(f"the pull brought something else: {found}")
        return Took(seconds[ARCHIVE], done.seconds, done.peak_bytes)

    def plain(self, slug: str, folder: Path) -> Took:
        """Copy it in pieces, and sync."""
        asked = {"kernelSlug": slug, "pageSize": 200}
        files = ask(self._server, "kernels", "ListKernelSessionOutput", asked).json["files"]
        url = next(str(one["url"]) for one in files if one["fileName"] == f"{PREFIX}/{ARCHIVE}")
        done = self._run([*_one_download("plain"), url, folder / ARCHIVE])
        return Took(json.loads(done.out)[ARCHIVE], done.seconds, done.peak_bytes)

    def client(self, slug: str, folder: Path) -> Took:
        """Let the client fetch it; on disk is it after the fsync that the client leaves out."""
        words = [PROGRAM, "kernels", "output", f"{self._server.user}/{slug}", "-p", folder]
        done = self._run([*words, "--file-pattern", rf"{ARCHIVE}$"])
        began = time.perf_counter()
        with (folder / PREFIX / ARCHIVE).open("rb") as file:
            os.fsync(file.fileno())
        return Took(done.seconds + time.perf_counter() - began, done.seconds, done.peak_bytes)

    def _run(self, command: list[str | Path]) -> Watched:
        done = watch(command, self._environ, ROOT)
        if done.code:
            raise SystemExit(f"{' '.join(map(str, command))} ended with {done.code}: {done.err}")
        return done


def main(size: int = SIZE, repeats: int = REPEATS) -> list[dict[str, Any]]:
    """Measure every way ``repeats`` times, in turn; print and return the rows."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        root = Path(name)
        complete = make_runs(root / "runs")["complete"]
        outputs = {slug: root / "outputs" / slug for slug in (TINY, LARGE)}
        large_output(outputs[TINY], complete, 1_000)
        archive = large_output(outputs[LARGE], complete, _that_fits(size, root))
        with KaggleServer(root / "kaggle", leaving(outputs)) as server:
            for slug in outputs:
                push(server, slug)
                server.wait(slug)
            ways = _ways(Ways(server, root / "home"), archive)
            for way in ways.values():
                way.tiny = _took(way, TINY, root, archive)
            for _ in range(repeats):
                for way in ways.values():
                    way.large.append(_took(way, LARGE, root, archive))
        return _rows(archive.stat().st_size, ways["ours"], ways["plain"], ways.get("client"))


def _one_download(how: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.one_download", how]


def _that_fits(size: int, folder: Path) -> int:
    room = (shutil.disk_usage(folder).free - SPARE_BYTES) // COPIES
    if room < PIECE:
        raise SystemExit(f"{folder} has no room; BENCH_DIR names another folder")
    if room < size:
        print(f"the disk has room for {format_size(room)}, not for {format_size(size)}: that is taken")
    return min(size, room)


def _ways(ways: Ways, archive: Path) -> dict[str, Way]:
    named = {"ours": Way(ways.ours), "plain": Way(ways.plain)}
    size, free = archive.stat().st_size, psutil.virtual_memory().available
    if free < HELD * size:
        print(f"the client is left out: it would hold the file, and {format_size(free)} of memory are free")
        return named
    return named | {"client": Way(ways.client)}


def _took(way: Way, slug: str, root: Path, archive: Path) -> Took:
    """Bring it into a folder that is gone afterwards, with the disk at rest and the file to be served in memory."""
    with archive.open("rb") as file:
        while file.read(PIECE):
            pass
    with tempfile.TemporaryDirectory(dir=root) as folder:
        os.sync()
        return way.bring(slug, Path(folder))


def _rows(size: int, ours: Way, plain: Way, client: Way | None) -> list[dict[str, Any]]:
    fast = held = "the client was not run"
    if client is not None:
        # Its start and its listing are not the file's.
        synced = _mb_s(size, client.to_disk_s - client.tiny.to_disk_s)
        unsynced = _mb_s(size, client.command_s - client.tiny.command_s)
        fast = f"`kaggle kernels output` {synced:.0f} MB/s ({unsynced:.0f} without the fsync)"
        held = f"`kaggle kernels output` {client.above_mb:,.0f} MB above its own"
    speed, plain_speed = _mb_s(size, ours.to_disk_s), _mb_s(size, plain.to_disk_s)
    return [
        _row(
            ("pull, the archive to disk", speed, "MB/s"),
            f"{format_size(size)} over loopback; a plain copy with fsync {plain_speed:.0f} MB/s; {fast}",
            speed / plain_speed,
        ),
        _row(
            ("pull, the whole command", ours.command_s, "s"),
            f"{format_size(size)}; {ours.to_disk_s:.1f} s until the archive is on disk, then its sum is compared, it "
            f"is unpacked, synced and verified; a plain copy takes {plain.to_disk_s:.1f} s",
            ours.command_s / plain.to_disk_s,
        ),
        _row(
            ("pull, memory at its peak", ours.above_mb, "MB above a tiny run's"),
            f"{format_size(size)}; a tiny run's {ours.tiny.peak_bytes / 1e6:.0f} MB; {held}; bar {BAR_MB:.0f} MB",
            ours.above_mb / BAR_MB,
        ),
    ]


def _mb_s(size: int, seconds: float) -> float:
    return size / 1e6 / seconds


def _row(what: tuple[str, float, str], against: str, ratio: float) -> dict[str, Any]:
    name, value, unit = what
    print(f"{name}: {value:.1f} {unit}; {against}")
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=parse_size, default=SIZE, help="of the archive, such as 4GB")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    chosen = parser.parse_args()
    main(chosen.bytes, chosen.repeats)
