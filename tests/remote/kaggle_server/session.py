"""One session: a version of a kernel that is queued, run, and ended; with its log and what was kept of its output."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kit.harness.clock import Clock

_LOOK_EVERY_S = 0.02
ENDED = ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED")


class Ending(Protocol):
    """How a run ended, as the rehearsal reports it."""

    @property
    def status(self) -> str:
        """COMPLETE, ERROR or CANCEL_ACKNOWLEDGED."""

    @property
    def failure_message(self) -> str | None:
        """What the service shows beside the status, if anything."""

    @property
    def log(self) -> list[dict[str, object]]:
        """Records of stream_name, time (s) and data."""

    @property
    def working(self) -> Path:
        """The folder that holds what was in /kaggle/working."""


Run = Callable[[Path, float, Mapping[str, Path], Path], Ending]
"""Runs a kernel folder under a limit (s) with inputs by mount name, and leaves what survives in the last folder."""


def live_log(out: Path, ref: str) -> Path:
    """Return where a runner may write the log while it runs: ``<slug>.log``, a JSON array with a record a line."""
    return out / f"{ref.rpartition('/')[2]}.log"


@dataclass(frozen=True)
class Order:
    """What a session has to run."""

    ref: str
    version: int
    folder: Path
    limit_s: float
    inputs: Mapping[str, Path]
    out: Path
    gpu: bool


class Session:
    """A thread that waits for its turn, runs the order, and keeps what came out."""

    def __init__(self, order: Order, run: Run, clock: Clock, turn: threading.Event) -> None:
        self.order = order
        self.status = "QUEUED"
        self.began: float | None = None
        self.took_s = 0.0
        self._run, self._clock, self._turn = run, clock, turn
        self._ending: Ending | None = None
        self._cancelled = False
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=f"{order.ref}/{order.version}", daemon=True)

    def start(self) -> None:
        """Begin to wait for a turn."""
        self._thread.start()

    def cancel(self) -> None:
        """Ask for the end, as the button on the site does; a queued session ends without having run."""
        with self._lock:
            if self.status in ENDED:
                return
            self._cancelled = True
            if self.status == "RUNNING":
                self.status = "CANCEL_REQUESTED"

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; tell whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def failure_message(self) -> str:
        """What is shown beside the status; empty where there is nothing."""
        if self.status not in ENDED:
            return ""
        if self._cancelled:
            return "Your notebook was cancelled."
        return (self._ending.failure_message or "") if self._ending else "The machine broke."

    @property
    def working(self) -> Path | None:
        """The folder of what was kept, None before the end."""
        return self._ending.working if self._ending and self.status in ENDED else None

    def log(self) -> list[dict[str, object]]:
        """Return the records so far."""
        if self._ending is not None:
            return list(self._ending.log)
        log = live_log(self.order.out, self.order.ref)
        whole_lines = log.read_text().split("\n")[:-1] if log.exists() else []
        return [json.loads(line.lstrip("[,")) for line in whole_lines]

    def _work(self) -> None:
        while not self._turn.wait(_LOOK_EVERY_S) and not self._cancelled:
            pass
        with self._lock:
            stopped = self._cancelled
            self.status = "CANCEL_ACKNOWLEDGED" if stopped else "RUNNING"
        if not stopped:
            self._go()
        self.ended.set()

    def _go(self) -> None:
        self.began = self._clock.wall()
        status = "ERROR"
        try:
            order = self.order
            ending = self._run(order.folder, order.limit_s, order.inputs, order.out)
            self._ending, status = ending, ending.status
        finally:
            self.took_s = self._clock.wall() - self.began
            with self._lock:
                self.status = "CANCEL_ACKNOWLEDGED" if self._cancelled else status
