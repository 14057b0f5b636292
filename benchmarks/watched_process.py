"""A command as a process of its own, watched from outside: how long it took, and the most memory that it held."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY_S = 0.005


@dataclass(frozen=True)
class Watched:
    """How a command ended: exit code, stdout, stderr, wall seconds, and its peak of resident memory in bytes.

    The peak is that of the process alone, without what it started in turn.
    """

    code: int
    out: str
    err: str
    seconds: float
    peak_bytes: int


def watch(
    command: Sequence[str | Path], environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Watched:
    """Run ``command`` in ``folder`` to its end.

    The operating system keeps the peak (VmHWM); it is read until the process is gone. What ``wait`` tells of a child
    (ru_maxrss) would count this process too, whose memory the child shares until it is the program.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environ, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    peaks: list[int] = []
    gone = threading.Event()
    looking = threading.Thread(target=_look, args=(process.pid, peaks, gone), daemon=True)
    looking.start()
    try:
        out, err = process.communicate()
    finally:
        seconds = time.perf_counter() - began
        gone.set()
        looking.join()
    return Watched(process.returncode, out, err, seconds, max(peaks))


def _look(process_id: int, peaks: list[int], gone: threading.Event) -> None:
    status = Path(f"/proc/{process_id}/status")
    while True:
        with suppress(OSError, StopIteration):  # a process that has ended has no memory
            line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
            peaks.append(int(line.split()[1]) * 1024)
        if gone.wait(LOOK_EVERY_S):
            return
