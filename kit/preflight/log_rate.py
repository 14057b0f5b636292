"""How much a run logs, measured in what its quick test left."""

from __future__ import annotations

import json
from typing import Any

from kit.harness.run_folder import RunFolder
from kit.harness.size import format_size
from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.quick_run import QuickRun

LINES_A_STEP = 5.0
"""The Kaggle timing analysis takes 38 lines a step down to this many."""
HARMLESS_LINES = 30_000
"""This many lines in all ended one notebook of five; fewer have ended none that we know of."""
MOST_BYTES = 500 * 10**6


def _look_at_log(quick: QuickRun) -> Verdict:
    if not quick.timesteps:
        return notes("The quick test took no step, so its log says nothing.")
    lines, size = log_of(quick.folder)
    share = max(1.0, quick.planned / quick.timesteps)
    rate, total, total_bytes = lines / quick.timesteps, lines * share, size * share
    saw = (
        f"{lines:,} lines in {quick.timesteps:,} steps, {rate:.2g} a step; the full run writes at most "
        f"{total:,.0f} lines, {format_size(total_bytes)}"
    )
    if total_bytes > MOST_BYTES:
        return fails(f"{saw}, more than {format_size(MOST_BYTES)}.")
    if rate <= LINES_A_STEP:
        return passes(f"{saw}.")
    return (
        notes(f"{saw}.") if total <= HARMLESS_LINES else fails(f"{saw}; {LINES_A_STEP:g} a step are enough.")
    )


def log_of(folder: RunFolder) -> tuple[int, int]:
    """Return the lines and bytes of the run's log and of what its notebook printed."""
    text = folder.log.read_text(errors="replace") if folder.log.exists() else ""
    printed = [_printed(output) for cell in _cells(folder) for output in cell.get("outputs", [])]
    parts = [text, *printed]
    return sum(part.count("\n") for part in parts), sum(len(part.encode()) for part in parts)


def _cells(folder: RunFolder) -> list[dict[str, Any]]:
    try:
        found = json.loads(folder.executed.read_text())["cells"]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return found if isinstance(found, list) else []


def _printed(output: dict[str, Any]) -> str:
    text = output.get("text", "") if output.get("output_type") == "stream" else ""
    return "".join(text)


LOG_RATE = Check(
    "Log frequency reduced",
    "The report of a lost run blames its debug prints, 16,679 lines in seconds; 30,000 ended one notebook of five.",
    "Give the loudest tag a rule (docs/log-throttling.md), or guard the line with throttle.guard.",
    _look_at_log,
)
