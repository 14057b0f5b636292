"""A machine that runs nothing: each run ends as it was told to beforehand, at once or when it is let go."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kit.harness.clock import ManualClock
from tests.remote.kaggle_server.session import live_log

EXECUTED = 0
KILLED = 137


@dataclass(frozen=True)
class Plan:
    """How one run is to end."""

    status: str = "COMPLETE"
    files: Mapping[str, bytes] = field(default_factory=dict)
    lines: tuple[str, ...] = ("first\n", "second\n")
    failure_message: str = ""
    takes_s: float = 0.0
    held: bool = False
    """Whether it goes on, with its log so far readable, until ``Machine.finish`` lets it end."""


@dataclass(frozen=True)
class Done:
    """What a run left, with the fields of a rehearsal."""

    status: str
    exit_code: int
    failure_message: str
    log: list[dict[str, object]]
    working: Path


@dataclass(frozen=True)
class Ran:
    """What a run was given."""

    metadata: dict[str, object]
    code: str
    limit_s: float
    inputs: Mapping[str, Path]


class Machine:
    """The trivial runner: takes plans in order, and repeats the last one."""

    def __init__(self, *plans: Plan, clock: ManualClock | None = None) -> None:
        self._plans = deque(plans or (Plan(),))
        self._clock = clock
        self._go = threading.Semaphore(0)
        self._lock = threading.Lock()
        self.ran: list[Ran] = []

    def plan(self, *plans: Plan) -> None:
        """Say how the next runs end, instead of what was planned."""
        with self._lock:
            self._plans = deque(plans)

    def finish(self, runs: int = 1) -> None:
        """Let so many held runs end."""
        self._go.release(runs)

    def __call__(self, folder: Path, limit_s: float, inputs: Mapping[str, Path], out: Path) -> Done:
        """Run a kernel folder: note what there is, leave the planned files and log."""
        with self._lock:
            plan = self._plans.popleft() if len(self._plans) > 1 else self._plans[0]
            metadata = json.loads((folder / "kernel-metadata.json").read_text())
            code = (folder / metadata["code_file"]).read_text()
            self.ran.append(Ran(metadata, code, limit_s, dict(inputs)))
        log = [{"stream_name": "stdout", "time": 0.5 + n, "data": text} for n, text in enumerate(plan.lines)]
        # The array lacks its closing bracket, as that of a session that goes on does.
        live_log(out, str(metadata["id"])).write_text("[" + "\n,".join([*map(json.dumps, log), ""]))
        if plan.held:
            self._go.acquire()
        if self._clock is not None:
            self._clock.advance(plan.takes_s)
        return Done(plan.status, _code(plan.status), plan.failure_message, log, _working(out, plan.files))


def _code(status: str) -> int:
    return {"COMPLETE": EXECUTED, "CANCEL_ACKNOWLEDGED": KILLED}.get(status, 1)


def _working(out: Path, files: Mapping[str, bytes]) -> Path:
    working = out / "working"
    working.mkdir()
    for name, content in files.items():
        (working / name).parent.mkdir(parents=True, exist_ok=True)
        (working / name).write_bytes(content)
    return working
