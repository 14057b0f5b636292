"""Log throttling: what a suppressed call costs, and the incident replayed in a notebook through papermill.

``python -m benchmarks.bench_throttle [--steps 400] [--repeats 5]`` prints two tables:

1. Nanoseconds of a suppressed call, of thread CPU time, the loop around it included: the kit's guards beside
   what else one would write.
2. Environment steps a second of a notebook whose environment takes 5 ms a step and says 38 lines a step, in
   the formats of the run that was lost: 28 printed with ``flush=True``, 10 warnings logged. *Silent* says
   none; *unthrottled* is that code as it is; *throttled* is the same code under ``LogThrottle().install()``
   with the shipped policy, so that every line is still built before it is dropped; *guarded* asks a guard
   before it builds one. The 5 ms are a busy loop of wall time: what slows a run is the lines. Where other
   processes share the machine they slow the lines, too: the second rate takes the thread's CPU time for them
   instead of wall time, and so leaves out what a run waits for the notebook.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kit.harness.throttle import LogThrottle
from kit.harness.throttle_gate import Guard
from kit.harness.throttle_rules import INCIDENT_POLICY, EveryN, LastOnly, OnChange, PerSecond, Share

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "benchmarks" / "incident.ipynb"
LINES_PER_STEP = 38
STEP_S = 0.005
MODES = ("silent", "throttled", "guarded", "unthrottled")

logger = logging.getLogger("incident")


class IncidentEnvironment:
    """An environment of 5 ms a step that says 38 lines about it, 28 printed and 10 logged.

    ``guards`` maps a tag to what is asked before one of its lines is built.
    """

    def __init__(self, guards: Mapping[str, Guard]) -> None:
        self._reward, self._boundary = guards["REWARD_MICROSCOPE"], guards["BC UPDATE"]
        self._queue, self._memory = guards["QUEUE_DIAGNOSTIC"], guards["GPU_MEMORY"]
        self._hash, self._warning = guards["STATE_HASH"], guards["SIMULATION_WARNING"]

    def simulate(self) -> None:
        """Keep the processor busy for 5 ms of wall time."""
        end = time.perf_counter() + STEP_S
        while time.perf_counter() < end:
            pass

    def report(self, step: int) -> None:
        """Say what happened in ``step``."""
        phase, flow = step // 10 % 2, 0.3 + 0.001 * (step % 7)
        if self._reward():
            print(
                f"[REWARD_MICROSCOPE] step={step} t={15.0 * step:.1f}s phase={phase} "
                f"| QUEUE: current={flow:.2f} delta={flow / 9:.4f} "
                f"| PENALTY: R_stability=-0.0100 | TOTAL: reward={flow - 0.01:.4f}",
                flush=True,
            )
        if self._boundary(phase):
            for side in ("left", "right", "top", "bottom"):
                print(
                    f"[BC UPDATE] {side} → phase {phase} {'GREEN' if phase else 'RED'} (inflow)", flush=True
                )
                print(f"  └─ Inflow state: rho_m={flow:.4f}, w_m=0.3, rho_c={flow / 2:.4f}", flush=True)
        for cell in range(9):
            if self._queue():
                print(f"[QUEUE_DIAGNOSTIC] cell {cell}: density={flow:.6f} velocity=11.111111", flush=True)
        for device in range(6):
            if self._memory():
                print(f"GPU memory: device {device % 2} allocated {812 + step % 5} MiB", flush=True)
        for part in range(4):
            if self._hash(step + part):
                print(f"State hash: part {part} {hash((step, part)):016x}", flush=True)
        for cell in range(10):
            if self._warning():
                logger.warning(
                    "[SIMULATION_WARNING] cell %d: CFL number %.3f near its bound", cell, 0.9 + flow
                )


def replay(mode: str, steps: int, result: str) -> None:
    """Run ``steps`` steps in ``mode``, as the notebook does; write what they took to ``result``."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s", force=True)
    throttle = LogThrottle()
    if mode in ("throttled", "guarded"):
        throttle.install()
    speaks = mode != "silent"
    environment = IncidentEnvironment(
        {tag: throttle.guard(tag) if mode == "guarded" else lambda *_: True for tag in INCIDENT_POLICY}
    )
    begin, cpu_s = time.perf_counter(), 0.0
    for step in range(steps):
        throttle.step(step)
        environment.simulate()
        if speaks:
            cpu_begin = time.thread_time()
            environment.report(step)
            cpu_s += time.thread_time() - cpu_begin
    throttle.uninstall()  # emits what it held: part of the price
    seconds = time.perf_counter() - begin
    asked = throttle.lines_per_step(asked=True)
    measured = {"seconds": seconds, "cpu_s": cpu_s + steps * STEP_S, "asked": asked}
    Path(result).write_text(json.dumps(measured), encoding="utf-8")


def run_notebook(mode: str, steps: int, folder: Path) -> dict[str, Any]:
    """Run the notebook through papermill; return steps a second, its lines, its wall time and any failure."""
    result, executed = folder / "result.json", folder / "executed.ipynb"
    result.unlink(missing_ok=True)
    executed.unlink(missing_ok=True)
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "-k", "python3", NOTEBOOK, executed]
    command += ["-p", "mode", mode, "-p", "steps", str(steps), "-p", "result", str(result)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - begin
    complaints = [line for line in done.stderr.splitlines() if "imeout waiting for IOPub" in line]
    measured = json.loads(result.read_text(encoding="utf-8")) if result.exists() else None
    return {
        "speed": steps / measured["seconds"] if measured else None,
        "cpu_speed": steps / measured["cpu_s"] if measured else None,
        "asked": measured["asked"] if measured else None,
        "lines": count_lines(executed) if executed.exists() else 0,
        "wall_s": wall_s,
        "failure": (complaints or done.stderr.splitlines()[-1:] or ["?"])[-1]
        if done.returncode or complaints
        else None,
    }


def count_lines(notebook: Path) -> int:
    """Return the lines of text among the outputs of an executed notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(output.get("text", "")) for cell in cells for output in cell.get("outputs", ())]
    return sum(text.count("\n") for text in texts)


def incident(steps: int, repeats: int) -> list[dict[str, Any]]:
    """Replay the incident ``repeats`` times in each mode, in turn; return the rows of results."""
    runs: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(repeats):
            for mode in MODES if repeat % 2 == 0 else reversed(MODES):
                runs[mode].append(run_notebook(mode, steps, Path(folder)))
    rows = []
    for key, unit in (("speed", "steps/s"), ("cpu_speed", "steps/CPU-s")):
        silent = median_of(runs["silent"], key)
        for mode in MODES:
            speed = median_of(runs[mode], key)
            each = ", ".join(f"{run[key]:.0f}" if run[key] else "failed" for run in runs[mode])
            name = f"incident: {mode}" + (", CPU time" if "CPU" in unit else "")
            rows.append(row(name, speed, unit, f"silent; repeats: {each}", speed / silent))
    return rows + [item for mode in MODES[1:] for item in beside(mode, runs[mode], runs["silent"], steps)]


def beside(
    mode: str, runs: list[dict[str, Any]], silent: list[dict[str, Any]], steps: int
) -> list[dict[str, Any]]:
    """Return the rows on what else became of the runs of ``mode``: lines, time in all, failures."""
    lines = median_of(runs, "lines") / steps
    asked = median_of(runs, "asked") if mode == "throttled" else LINES_PER_STEP  # a guard counts calls
    wall_s, silent_s = median_of(runs, "wall_s"), median_of(silent, "wall_s")
    failures = [run["failure"] for run in runs if run["failure"]]
    note = f"of {len(runs)} runs" + (f": {failures[0]}" if failures else "")
    return [
        row(f"incident: {mode}, lines", lines, "lines/step", f"{asked:.1f} asked", lines / asked),
        row(
            f"incident: {mode}, papermill in all", wall_s, "s", f"silent: {silent_s:.1f} s", wall_s / silent_s
        ),
        row(f"incident: {mode}, failed runs", len(failures), "runs", note, len(failures) / len(runs)),
    ]


def median_of(runs: list[dict[str, Any]], key: str) -> float:
    """Return the median of ``key`` over the runs that have it, NaN if none does."""
    values = [run[key] for run in runs if run[key] is not None]
    return statistics.median(values) if values else float("nan")


def suppressed_calls() -> list[dict[str, Any]]:
    """Measure a suppressed call of each kind; return the rows of results."""
    others = {**alternatives()}
    modulo = others["caller-side modulo"]
    rows = [
        row(f"suppressed guard: {name}", ns, "ns", f"caller-side modulo {modulo:.0f} ns", ns / modulo)
        for name, ns in guards().items()
    ]
    headline = rows[0]["value"]
    rows += [
        row(f"suppressed: {name}", ns, "ns", f"our guard {headline:.0f} ns", ns / headline)
        for name, ns in others.items()
    ]
    return rows


def guards() -> dict[str, float]:
    """Return the nanoseconds of a suppressed guard, for each rule."""
    rules = {"NTH": EveryN(10**9, "calls"), "STEP": EveryN(10**9), "SHARE": Share(0)}
    throttle = LogThrottle({**rules, "CHANGE": OnChange(), "LAST": LastOnly(), "RATE": PerSecond(1e-6)})
    asked = {tag: throttle.guard(tag) for tag in ("NTH", "STEP", "SHARE", "CHANGE", "LAST", "RATE")}
    throttle.step(0)
    for guard in asked.values():
        guard(7)
    throttle.step(1)
    names = ("every n calls", "every n steps", "share", "on change", "last only", "per second")
    return {
        name: nanoseconds(f"if ask({'7' if tag in ('CHANGE', 'LAST') else ''}): raise ValueError", ask=ask)
        for name, (tag, ask) in zip(names, asked.items(), strict=True)
    }


def alternatives() -> dict[str, float]:
    """Return the nanoseconds of a suppressed call by other means."""
    quiet = logging.getLogger("bench.quiet")
    quiet.propagate = False
    quiet.setLevel(logging.INFO)
    quiet.addHandler(logging.NullHandler())
    found = {
        "caller-side modulo": nanoseconds("if index % 1_000_000_007 == 1_000_000_006: raise ValueError"),
        "isEnabledFor": nanoseconds("if log.isEnabledFor(10): raise ValueError", log=quiet),
        "disabled level": nanoseconds("log.debug('step %d', index)", log=quiet),
    }
    throttle = LogThrottle({"A": Share(0)})
    throttle.attach(quiet.handlers[0])
    found["our filter (record built)"] = nanoseconds("log.info('[A] %d', index)", log=quiet, number=20_000)
    throttle.uninstall()
    quiet.handlers[0].removeFilter(throttle.filter())
    quiet.addFilter(lambda _: False)
    found["stdlib rejecting Filter"] = nanoseconds("log.info('[A] %d', index)", log=quiet, number=20_000)
    with Path(os.devnull).open("w", encoding="utf-8") as sink:
        found["our stream (line printed)"] = nanoseconds(
            "print('[A]', index, file=out)", out=throttle.stream(sink), number=20_000
        )
    try:
        from absl import logging as absl_logging
    except ImportError:
        return found
    absl_logging.log_every_n(absl_logging.INFO, "first", 10**9)
    statement = "log_every_n(0, 'step %d', 1_000_000_007, index) if index else None"
    found["absl log_every_n"] = nanoseconds(statement, log_every_n=absl_logging.log_every_n, number=20_000)
    return found


def nanoseconds(statement: str, number: int = 200_000, repeats: int = 9, **names: object) -> float:
    """Return the median nanoseconds of thread CPU time of ``statement`` in a loop over ``index``."""
    scope: dict[str, Any] = {}
    source = (
        f"def loop(count, {', '.join(names) or '_'}):\n    for index in range(count):\n        {statement}\n"
    )
    exec(source, scope)
    loop: Callable[..., None] = scope["loop"]
    values = list(names.values()) or [None]
    loop(1_000, *values)
    taken = []
    gc.disable()
    for _ in range(repeats):
        begin = time.thread_time_ns()
        loop(number, *values)
        taken.append((time.thread_time_ns() - begin) / number)
    gc.enable()
    return statistics.median(taken)


def row(name: str, value: float, unit: str, against: str, ratio: float) -> dict[str, Any]:
    """Return one row of results."""
    return {"name": f"throttle, {name}", "value": value, "unit": unit, "against": against, "ratio": ratio}


def main(steps: int = 400, repeats: int = 5) -> list[dict[str, Any]]:
    """Run both parts, print the table, and return its rows."""
    rows = [*suppressed_calls(), *incident(steps, repeats)]
    for item in rows:
        figures = f"{item['value']:10.2f} {item['unit']:11} {item['ratio']:7.3f}"
        print(f"{item['name']:44} {figures}  {item['against']}")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Log throttling: suppressed calls, and the incident replayed."
    )
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    main(options.steps, options.repeats)
