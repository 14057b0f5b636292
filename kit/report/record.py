"""The record of a run: what its folder holds, read for the report in whatever state the run left it.

Nothing in a folder is needed and nothing in it is trusted: a file that is absent gives an empty part, a file
that cannot be read gives an empty part and a sentence in ``problems``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.harness.run_folder import RunFolder
from kit.report.evaluation import Evaluation, read_evaluation
from kit.report.table import Table, read_table

LOG_TAIL_BYTES = 16_384
LOG_TAIL_LINES = 20


@dataclass(frozen=True)
class Phase:
    """One phase of timing.json: how often, and the wall and CPU seconds it took in all."""

    name: str
    count: int
    total_s: float
    cpu_s: float

    @property
    def mean_s(self) -> float:
        """Wall seconds each time."""
        return self.total_s / self.count if self.count else math.nan


@dataclass(frozen=True)
class Checkpoint:
    """A committed checkpoint, as its manifest tells it."""

    step: int
    exact: bool
    n_bytes: int
    config_hash: str


@dataclass(frozen=True)
class SessionSpan:
    """The steps that one session of the run worked on, and the wall seconds it took where that is known."""

    session: int
    first_step: int
    last_step: int
    elapsed_s: float = math.nan
    end: str = ""


@dataclass(frozen=True)
class RunRecord:
    """Everything the report says about a run."""

    folder: RunFolder
    run: Mapping[str, object]
    summary: Mapping[str, object]
    metrics: Table
    sessions: tuple[SessionSpan, ...]
    phases: tuple[Phase, ...]
    evaluation: Evaluation | None
    checkpoints: tuple[Checkpoint, ...]
    log_tail: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def parameters(self) -> Mapping[str, object]:
        """The notebook's parameters."""
        parameters = self.run.get("parameters")
        return parameters if isinstance(parameters, dict) else {}


def read_record(run_dir: Path) -> RunRecord:
    """Read a run folder; raises nothing for what is absent or broken in it, see ``problems``."""
    problems: list[str] = []
    folder = RunFolder(run_dir)
    run = read_json(folder.run_json, problems)
    return RunRecord(
        folder=folder,
        run=run,
        summary=read_json(folder.summary, problems),
        metrics=read_table(folder.metrics, problems),
        sessions=_sessions(folder, problems),
        phases=read_phases(folder, problems),
        evaluation=read_run_evaluation(folder, run, problems),
        checkpoints=_checkpoints(folder.checkpoints, problems),
        log_tail=_log_tail(folder.log),
        problems=tuple(problems),
    )


def read_json(path: Path, problems: list[str]) -> dict[str, object]:
    """Read a JSON object; an absent file gives an empty one, a broken one also a sentence in ``problems``."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        problems.append(f"{path.name} could not be read ({error.strerror}).")
        return {}
    except (ValueError, RecursionError) as error:
        problems.append(f"{path.name} is not valid JSON ({error}); what it held is missing here.")
        return {}
    if not isinstance(value, dict):
        problems.append(f"{path.name} is not a JSON object; what it held is missing here.")
        return {}
    return value


def read_phases(folder: RunFolder, problems: list[str]) -> tuple[Phase, ...]:
    """Read the phases of timing.json in the order written; an entry without a time is left out."""
    entries = read_json(folder.timing, problems).get("phases", [])
    if not isinstance(entries, list):
        problems.append("timing.json: phases is not a list.")
        return ()
    phases = []
    for entry in entries:
        total = as_number(entry.get("total_s")) if isinstance(entry, dict) else math.nan
        if not isinstance(entry, dict) or not math.isfinite(total):
            problems.append(f"timing.json: a phase without a finite total_s is left out ({str(entry)[:60]}).")
            continue
        count = as_number(entry.get("count"))
        phases.append(
            Phase(
                name=str(entry.get("name", "unnamed")),
                count=int(count) if math.isfinite(count) else 0,
                total_s=total,
                cpu_s=as_number(entry.get("cpu_s")),
            )
        )
    return tuple(phases)


def read_run_evaluation(
    folder: RunFolder, run: Mapping[str, object], problems: list[str]
) -> Evaluation | None:
    """Read results.json; the agent is known by the ``algorithm`` among the run's parameters."""
    parameters = run.get("parameters")
    algorithm = parameters.get("algorithm", "") if isinstance(parameters, dict) else ""
    return read_evaluation(read_json(folder.results, problems), str(algorithm), problems)


def session_spans(timing: Table) -> tuple[SessionSpan, ...]:
    """Return the first and last step of every session in timing.csv, in order."""
    spans: dict[int, SessionSpan] = {}
    for step, session in zip(timing.get("step"), timing.get("session"), strict=False):
        if not (math.isfinite(step) and math.isfinite(session)):
            continue
        seen = spans.get(int(session), SessionSpan(int(session), int(step), int(step)))
        spans[int(session)] = SessionSpan(
            int(session), min(seen.first_step, int(step)), max(seen.last_step, int(step))
        )
    return tuple(spans[session] for session in sorted(spans))


def as_number(value: object) -> float:
    """Return a JSON value as a float, NaN where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _sessions(folder: RunFolder, problems: list[str]) -> tuple[SessionSpan, ...]:
    """Read the ledger of sessions, or what timing.csv tells where there is none."""
    spans = session_spans(read_table(folder.timing_rows, problems))
    entries = read_json(folder.sessions, problems).get("sessions", [])
    ledger = []
    for entry in entries if isinstance(entries, list) else []:
        values = entry if isinstance(entry, dict) else {}
        session, first, last = (as_number(values.get(key)) for key in ("session", "first_step", "last_step"))
        if math.isfinite(session + first + last):
            elapsed, end = as_number(values.get("elapsed_s")), str(values.get("end", ""))
            ledger.append(SessionSpan(int(session), int(first), int(last), elapsed, end))
    return tuple(ledger) or spans


def _checkpoints(root: Path, problems: list[str]) -> tuple[Checkpoint, ...]:
    """Read the manifest of every committed checkpoint, the oldest first."""
    found = []
    for manifest in sorted(root.glob("step-*/manifest.json")):
        values = read_json(manifest, problems)
        step = as_number(values.get("step"))
        if not math.isfinite(step):
            continue
        data = [values.get(key) for key in ("files", "segments")]
        sizes = [
            as_number(entry.get("bytes")) if isinstance(entry, dict) else math.nan
            for entries in data
            for entry in (entries if isinstance(entries, list) else [])
        ]
        found.append(
            Checkpoint(
                step=int(step),
                exact=values.get("exact") is True,
                n_bytes=int(sum(value for value in sizes if math.isfinite(value))),
                config_hash=str(values.get("config_hash", "")),
            )
        )
    return tuple(found)


def _log_tail(path: Path) -> tuple[str, ...]:
    """Return the last lines of the log, without reading a long one whole."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            tail = log.read()
    except OSError:
        return ()
    return tuple(tail.decode("utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:])
