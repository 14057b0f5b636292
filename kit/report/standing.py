"""How the run stands, and what its owner can do now: the banner on top of the page."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass

from kit.report.quantities import count, duration, plural
from kit.report.record import RunRecord, as_number

# Settings that are not part of what decides the results, so a continued run may have others.
_FREE = re.compile(r"(^|_)(out|output|folder|dir|limit|verbosity|verbose|device)(_|$)")


@dataclass(frozen=True)
class Standing:
    """``kind`` is complete, stopped, failed or open (no summary); ``command`` is what continues the run."""

    kind: str
    headline: str
    sentences: tuple[str, ...]
    command: str = ""


def standing(record: RunRecord) -> Standing:
    """Say how the run stands, from its summary and, where there is none, from its checkpoints."""
    status = record.summary.get("status")
    reached = _reached(record)
    reason = str(record.summary.get("reason") or "").strip()
    notes = _notes(record)
    if status == "complete":
        return Standing("complete", f"Complete: {reached}", notes)
    if status == "stopped":
        why = f"Why: {reason.rstrip('.')}." if reason else "No reason was given."
        return Standing(
            "stopped", f"Stopped early: {reached}", (why, *notes, *_onward(record)), _command(record)
        )
    if status == "failed":
        why = f"Why: {reason.rstrip('.')}." if reason else "No reason was given; see the end of the log."
        return Standing("failed", f"Failed: {reached}", (why, *notes, *_onward(record)), _command(record))
    said = "It has no summary, so it is still going, or was killed before it could say how it ended."
    if status is not None:
        said = f"Its summary gives a status that is not known here: {status!r}."
    return Standing("open", "This run has not ended properly", (said, *_onward(record)), _command(record))


def _reached(record: RunRecord) -> str:
    step, total = (as_number(record.summary.get(key)) for key in ("step", "total_timesteps"))
    parts = [f"{count(step)} of {count(total)} steps" if math.isfinite(total) else f"{count(step)} steps"]
    elapsed = as_number(record.summary.get("elapsed_s"))
    if math.isfinite(elapsed):
        parts.append(f"in {duration(elapsed)}")
    sessions = as_number(record.summary.get("sessions"))
    if math.isfinite(sessions) and sessions > 1:
        parts.append(f"over {plural(int(sessions), 'session')}")
    return " ".join(parts)


def _notes(record: RunRecord) -> tuple[str, ...]:
    """Say what a reader must know before believing the figures."""
    notes = []
    if _is_quick(record):
        notes.append("This was a quick test: it shows that everything works, not what the agent can learn.")
    total, asked = (as_number(record.summary.get(key)) for key in ("total_timesteps", "requested_timesteps"))
    if math.isfinite(asked) and asked > total:
        notes.append(f"Under time pressure it was shortened from {count(asked)} to {count(total)} steps.")
    inexact = record.summary.get("inexact_reason")
    if record.summary.get("exact") is False and isinstance(inexact, str) and inexact:
        notes.append(f"Resuming is not bit for bit: {inexact.rstrip('.')}.")
    return tuple(notes)


def _is_quick(record: RunRecord) -> bool:
    return True in (record.run.get("quick_test"), record.parameters.get("quick_test"))


def _onward(record: RunRecord) -> tuple[str, ...]:
    if _is_quick(record):
        return ("A quick test always starts anew.",)
    if not record.checkpoints:
        return ("It has no checkpoint, so the command below starts it from the beginning.",)
    newest = max(record.checkpoints, key=lambda checkpoint: checkpoint.step)
    how = "bit for bit" if newest.exact else "though not bit for bit, since that checkpoint is not exact"
    again = " Give it the settings it had (--set)." if _given(record) is None else ""
    return (f"The command below continues it from step {count(newest.step)}, {how}.{again}",)


def _command(record: RunRecord) -> str:
    """Return the command that continues the run, with the notebook parameters it had where they are known."""
    notebook = record.run.get("notebook") or record.summary.get("notebook")
    if not isinstance(notebook, str):
        return ""
    words = ["python", "validation_cli.py", "run", notebook]
    for name, value in (_given(record) or {}).items():
        words += ["--set", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    return shlex.join([*words, "--out", str(record.folder.root)])


def _given(record: RunRecord) -> dict[str, object] | None:
    """Return the notebook parameters that a continued run must have again; None where they are not known."""
    given = record.run.get("notebook_parameters")
    if not isinstance(given, dict):
        return None
    return {
        name: value
        for name, value in given.items()
        if value is not None and not isinstance(value, list | dict) and not _FREE.search(name)
    }
