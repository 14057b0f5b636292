"""From the first line of a session's log to the first training step, beyond what the notebook's imports take.

The traffic notebook as it is pushed (its scenario there is an embedded one) is played by ``rehearse`` on a machine that
is new each time: nothing is unpacked or compiled there. Watched from outside: the log, until it has a line, and the
session's heartbeat, until its step is no longer zero. Beside each rehearsal the notebook's own imports are run in a
fresh process. The difference is the start of the kernel, unpacking, the environment's trial, the compilation of its
first steps, and what is imported only then (torch's compiler, with the first optimizer).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.notebook_imports import imports_of, seconds_of
from benchmarks.start_watch import StartWatch
from kit.harness.run_folder import RunFolder
from kit.harness.summary import read_json
from kit.notebooks.launch import Launch
from kit.notebooks.locate import find_notebook
from kit.remote.command_orders import kernel_order
from kit.remote.push import PushOrder, build_only
from kit.remote.rehearse import RehearsalOrder, rehearse

NOTEBOOK = "traffic_signal"
RUN = f"working/runs/{NOTEBOOK}"
REPEATS = 3
BAR_S = 10.0
LIMIT_S = 1800.0
"""More than the session takes: it is not to be killed."""


@dataclass(frozen=True)
class Started:
    """One start, in seconds: until the first line of the log, from there to the first step, and phases by name."""

    line_s: float
    step_s: float
    phases_s: dict[str, float]
    line: str


def main(repeats: int = REPEATS) -> list[dict[str, Any]]:
    """Rehearse and import ``repeats`` times, in turn; print both, and return the row of the difference."""
    notebook = find_notebook(NOTEBOOK)
    lines = imports_of(notebook)
    starts, imports = [], []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        root = Path(name)
        order = PushOrder(kernel_order(Launch(notebook), owner="bench"), root / "kernel")
        found = build_only(order)
        for number in range(repeats):
            starts.append(started(Path(found["folder"]), found["kernel"], root / f"session-{number}"))
            imports.append(seconds_of(lines, root / f"imports-{number}"))
            _tell(starts[-1], imports[-1])
    return [_row(starts, imports)]


def started(kernel: Path, ref: str, out: Path) -> Started:
    """Rehearse the kernel ``ref`` in the folder ``kernel`` and watch it start."""
    out.mkdir()
    began_s = time.monotonic()
    heartbeat = RunFolder(out / ".machine/kaggle" / RUN).heartbeat
    with StartWatch(out / f"{ref.rpartition('/')[2]}.log", heartbeat) as watch:
        found = rehearse(RehearsalOrder(kernel, LIMIT_S, {}, out))
    if found.status != "COMPLETE" or watch.first_line_s is None or watch.first_step_s is None:
        raise SystemExit(f"the rehearsal ended {found.status}, its start unseen: {found.log[-5:]}")
    rows = read_json(RunFolder(out / RUN).timing)["phases"]
    return Started(
        line_s=watch.first_line_s - began_s,
        step_s=watch.first_step_s - watch.first_line_s,
        phases_s={str(row["name"]): float(row["total_s"]) for row in rows},
        line=str(found.log[0]["data"]).splitlines()[0],
    )


def _tell(start: Started, imports_s: float) -> None:
    phases = ", ".join(f"{name} {start.phases_s[name]:.1f} s" for name in ("setup", "warm_up"))
    print(
        f"first line {start.line!r} after {start.line_s:.1f} s, first step {start.step_s:.1f} s later; imports alone "
        f"{imports_s:.1f} s; phases of the session, from the machine's begin: {phases}"
    )


def _row(starts: list[Started], imports: list[float]) -> dict[str, Any]:
    step_s, imports_s = statistics.median(one.step_s for one in starts), statistics.median(imports)
    value = step_s - imports_s
    against = (
        f"{NOTEBOOK} as pushed, rehearsed; {step_s:.1f} s in all, {imports_s:.1f} s of them its imports, timed in a "
        f"fresh process; bar {BAR_S:.0f} s"
    )
    print(f"first line of the log to first training step, beyond the imports: {value:.1f} s; {against}")
    return {
        "name": "first line to first step, beyond the imports",
        "value": value,
        "unit": "s",
        "against": against,
        "ratio": value / BAR_S,
    }


if __name__ == "__main__":
    main()
