"""Whether the quick test was kept as the full run will be: session, rows, watchdog, archive."""

from __future__ import annotations

import csv
import math
import zipfile

from kit.errors import KitError
from kit.harness.archive import verify
from kit.harness.checkpoints import CheckpointStore
from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.quick_run import QuickRun

SHORT_S = 10.0
"""A session that was open for less may be over before the watchdog has read anything."""


def _look_at_end(quick: QuickRun) -> Verdict:
    if quick.fault:
        return fails(quick.fault.splitlines()[0])
    if not quick.complete:
        status, reason = (
            quick.summary.get("status", "nothing"),
            quick.summary.get("reason", "no reason given"),
        )
        return fails(f"The quick test ended {status}, at step {quick.timesteps:,}: {reason}.")
    return passes(f"{quick.timesteps:,} steps trained of {quick.planned:,}, every cell run.")


def _look_at_manager(quick: QuickRun) -> Verdict:
    if not quick.run:
        return fails("The notebook opened no TrainingSession, so nothing of its run is kept.")
    store = CheckpointStore(quick.folder.checkpoints, str(quick.run.get("config_hash", "")))
    newest = store.newest()
    if newest is None:
        return fails("The session left no checkpoint that verifies.")
    if quick.complete and newest.step != quick.timesteps:
        return fails(
            f"The run ended at step {quick.timesteps:,}, its last checkpoint is of step {newest.step:,}."
        )
    return passes(f"A session kept the run: its last checkpoint is of step {newest.step:,}, and verifies.")


def _look_at_rows(quick: QuickRun) -> Verdict:
    try:
        with quick.folder.metrics.open(newline="") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        rows = []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return fails(f"metrics.csv cannot be read: {error}.")
    if len(rows) < 2:
        return fails("metrics.csv is empty: session.record was never called, or only after the last step.")
    numbers = [float(cell) for row in rows[1:] for cell in row[1:] if _is_number(cell)]
    if not any(math.isfinite(number) for number in numbers):
        return fails(f"metrics.csv has {len(rows) - 1} rows and not one number that is finite.")
    exports = quick.count("export")
    if not exports:
        return notes(f"metrics.csv has {len(rows) - 1} rows; the quick test ended before an export was due.")
    return passes(f"metrics.csv has {len(rows) - 1} rows of {len(rows[0])} columns; {exports:.0f} exports.")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _look_at_archive(quick: QuickRun) -> Verdict:
    archive = quick.folder.archive
    if not archive.exists():
        return fails("The quick test left no artifacts.zip.")
    try:
        report = verify(archive)
        with zipfile.ZipFile(archive) as opened:
            names = set(opened.namelist())
    except (KitError, OSError, zipfile.BadZipFile) as error:
        return fails(f"artifacts.zip does not open: {error}.")
    if not report.ok:
        return fails(f"artifacts.zip does not verify: {', '.join(report.bad)}.")
    missing = [name for name in ("summary.json", "metrics.csv", "run.json") if name not in names]
    if missing:
        return fails(f"artifacts.zip lacks {', '.join(missing)}.")
    return passes(f"artifacts.zip opens; {report.files} checksums are right, summary and rows are in it.")


def _look_at_watchdog(quick: QuickRun) -> Verdict:
    peaks = quick.summary.get("peaks") or {}
    if not peaks.get("memory_bytes"):
        if quick.open_s < SHORT_S:
            return notes("The quick test was over before the watchdog had taken a reading.")
        return fails("The watchdog left no reading of this run: it never ran, or could read nothing.")
    return passes("The watchdog ran beside the quick test, and took readings.")


def _look_at_total(quick: QuickRun) -> Verdict:
    asked = quick.launching.parameters.get("total_timesteps")
    if asked is None:
        return notes("The notebook has no parameter 'total_timesteps' to compare with.")
    if quick.planned and quick.planned != asked:
        return fails(
            f"The notebook asks for {asked:,} steps, and its session was opened for {quick.planned:,}."
        )
    return passes(f"The session was opened for the {asked:,} steps that the notebook asks for.")


END = Check(
    "Quick test completes",
    "What fails in a minute fails in the full run too, hours later.",
    "Read the last cell of executed.ipynb and logs/notebook.log in the run folder.",
    _look_at_end,
)
MANAGER = Check(
    "RobustOutputManager integrated in code",
    "A notebook that saves by itself, at its end, saves nothing when it is killed before.",
    "Open a TrainingSession, train through it (learn, or session.steps), and close it in the last cell.",
    _look_at_manager,
)
ROWS = Check(
    "Intermediate CSV export working",
    "A four-hour run left its checkpoints and an empty CSV.",
    "Call session.record in the loop; a quick test should see a row or two (metrics_every).",
    _look_at_rows,
)
ARCHIVE = Check(
    "Final artifact finalization code tested",
    "An archive that was never opened before the end is the one that does not open.",
    "Run `verify` on the run folder; make room on the disk where it says the archive is cut short.",
    _look_at_archive,
)
WATCHDOG = Check(
    "Watchdog alive",
    "A deadline that only the training looks at is missed by a training that hangs.",
    "Look into logs/run.log for what it said; processes must be allowed to start.",
    _look_at_watchdog,
)
TOTAL = Check(
    "Session opened for the planned timesteps",
    "A total that is written down twice is changed once: the run is longer than its forecast, or over too soon.",
    "Hand the parameter itself to TrainingSession.open(total_timesteps=total_timesteps).",
    _look_at_total,
)
