"""Measures one workload: quick test, hundred steps, run; what they left is kept as raw facts, one JSON a workload."""

from __future__ import annotations

import csv
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.forecast.workloads import Workload
from kit.timing.prediction import this_machine

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "benchmarks" / "forecast.ipynb"
FIGURES = "matplotlib"


class MeasuringError(Exception):
    """A command failed, or did not complete: the workload has no figures."""


@dataclass(frozen=True)
class Bench:
    """Where facts go, and what every command is started with.

    Attributes:
        folder: gets ``NAME.json`` for each workload.
        scratch: run folders and caches; what is in it is thrown away.
        share: of every workload's steps; less than 1 to try it out.
    """

    folder: Path
    scratch: Path
    share: float = 1.0

    def facts_of(self, workload: Workload) -> dict[str, Any]:
        """Measure a workload, write its facts, and return them; ``failure`` says what went wrong, else it is None.

        ``load`` is the machine's load average over a minute, before and after.
        """
        timesteps = max(1, round(self.share * workload.timesteps))
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        facts: dict[str, Any] = {
            "name": workload.name,
            "timesteps": timesteps,
            "date": today,
            "machine": this_machine(),
            "load": [os.getloadavg()[0]],
        }
        with self._room(workload.name) as room:
            try:
                facts |= self._measured(workload.name, timesteps, room)
                facts["failure"] = None
            except MeasuringError as error:
                facts["failure"] = str(error)
        facts["load"].append(os.getloadavg()[0])
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{workload.name}.json").write_text(json.dumps(facts, indent=1) + "\n")
        return facts

    @contextmanager
    def _room(self, name: str) -> Iterator[Path]:
        """Give a folder for the runs of one workload, and take it away again."""
        room = self.scratch / name
        room.mkdir(parents=True)
        try:
            yield room
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def _measured(self, name: str, timesteps: int, room: Path) -> dict[str, Any]:
        quick = self._command("quick-test", name, timesteps, room, room / "run-quick")
        steps = self._hundred_steps(name, room)
        run = self._command("run", name, timesteps, room, room / "run")
        rows = list(csv.DictReader((room / "run" / "timing.csv").open(newline="")))
        return {
            "quick": quick,
            "hundred_steps": steps,
            "run": run,
            "rows": [[int(row["step"]), float(row["time_s"])] for row in rows],
            "pairs": _lines(room / "cache" / "training-kit" / "history.jsonl"),
        }

    def _command(self, command: str, name: str, timesteps: int, room: Path, out: Path) -> dict[str, Any]:
        """Run one command to its end; return its wall time, exit code, summary and timing.

        A quick test whose checks fail (exit 1) has measured all the same.
        """
        words = [sys.executable, str(ROOT / "validation_cli.py"), command, str(NOTEBOOK), "--json"]
        words += ["--set", f"workload={name}", "--set", f"total_timesteps={timesteps}", "--out", str(out)]
        began = time.perf_counter()
        done = self._run(words, room)
        wall_s = time.perf_counter() - began
        summary = _object(done.stdout)
        if summary.get("status") != "complete":
            raise MeasuringError(f"{command} exited {done.returncode}: {_reason(summary, done.stderr)}")
        timing = json.loads((out / "timing.json").read_text())
        return {"exit_code": done.returncode, "wall_s": wall_s, "summary": summary, "timing": timing}

    def _hundred_steps(self, name: str, room: Path) -> dict[str, float]:
        done = self._run([sys.executable, "-m", "benchmarks.forecast.hundred_steps", name], room)
        if done.returncode:
            raise MeasuringError(f"the hundred steps exited {done.returncode}: {_reason({}, done.stderr)}")
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found

    def _run(self, words: list[str], room: Path) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(room / "cache"),
            "MPLCONFIGDIR": str(self.scratch / FIGURES),
        }
        return subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    def warm(self, workload: Workload, timesteps: int) -> None:
        """Test a workload and forget it.

        What a machine keeps from the first time on (compiled code, the list of fonts, files in memory) is then in
        nobody's figures.
        """
        with self._room("warm") as room:
            self._command("quick-test", workload.name, timesteps, room, room / "run-quick")


@contextmanager
def opened(folder: Path | None, share: float = 1.0) -> Iterator[Bench]:
    """Give a bench whose scratch is thrown away at the end, and its facts too where no ``folder`` is given."""
    with tempfile.TemporaryDirectory(prefix="forecast-") as scratch:
        yield Bench(folder or Path(scratch) / "facts", Path(scratch) / "runs", share)


def read_facts(folder: Path) -> list[dict[str, Any]]:
    """Return the facts in a folder, by name."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _reason(summary: dict[str, Any], stderr: str) -> str:
    said = summary.get("error") or summary.get("reason")
    return str(said or (stderr.strip().splitlines() or ["it said nothing"])[-1])
