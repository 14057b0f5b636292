"""How a kernel's run ended: what Kaggle says of the kernel, and what the run says of itself, as one exit code.

Kaggle's COMPLETE means that the notebook came to its end, which a run does that stopped in time and is to be continued;
only the run's own summary tells the two apart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.errors import RemoteError, UsageError
from kit.harness.summary import COMPLETE, STOPPED, read_json
from kit.harness.watchdog import STOP_HARD
from kit.remote.client import KaggleClient
from kit.remote.kernel_ref import KernelRef
from kit.remote.log_text import last_progress
from kit.remote.output_listing import OutputListing
from kit.remote.output_run import OutputRun, run_in
from kit.remote.replies import KernelStatus, State

SUMMARY = "summary.json"


def kernel_outcome(client: KaggleClient, ref: KernelRef) -> dict[str, Any]:
    """Return how the newest version of a kernel stands, and its run.

    ``{kernel, kernel_status, failure_message, run, progress}``: ``run`` is the run's summary, None while it runs and
    where it left none; ``progress`` is what it said last of itself.

    Raises:
        RemoteError: there is no such kernel.
    """
    status = client.status(ref)
    found: dict[str, Any] = {
        "kernel": str(ref),
        "kernel_status": status.state,
        "failure_message": status.message,
        "run": None,
        "progress": None,
        "checkpoints": False,
    }
    if not status.under_way and status.state != "NEW_SCRIPT":
        listing = client.output(ref)
        progress = last_progress(listing.log)
        found["progress"] = vars(progress) if progress else None
        found |= run_of(client, ref, listing)
    return found


def run_of(client: KaggleClient, ref: KernelRef, listing: OutputListing) -> dict[str, Any]:
    """Return ``{run, checkpoints}``: the summary in an output, and whether there is something to continue from."""
    try:
        run = run_in(listing.files, ref.notebook, str(ref))
    except (RemoteError, UsageError):
        return {"run": None, "checkpoints": False}
    return {"run": _summary(client, run, listing), "checkpoints": run.archived or run.step >= 0}


def _summary(client: KaggleClient, run: OutputRun, listing: OutputListing) -> dict[str, Any] | None:
    if SUMMARY not in run.names:
        return None
    with tempfile.TemporaryDirectory(prefix="kit-kaggle-") as folder:
        path = Path(folder) / SUMMARY
        name = run.name(SUMMARY)
        client.downloads().to(path, lambda _: listing.files[name], name)
        return read_json(path) or None


def exit_code_of_run(found: Mapping[str, Any]) -> int:
    """Return the exit code of a run that came home: 0 complete, 4 can be continued, 6 ended by the hard deadline."""
    if not found["ok"]:
        return 5
    if found["reason"] == STOP_HARD:
        return 6
    if found["kernel_status"] == "CANCEL_ACKNOWLEDGED" and found["resumable"]:
        return 4
    return {COMPLETE: 0, STOPPED: 4}.get(str(found["status"]), 1)


def exit_code_of_state(state: State) -> int:
    """Return the exit code of a kernel's status alone: 0 it came to its end, 4 it runs, 1 it did not."""
    return 4 if KernelStatus(state).under_way else 0 if state == "COMPLETE" else 1


def exit_code_of(found: dict[str, Any]) -> int:
    """Return the exit code: 0 complete, 4 runs or can be continued, 6 ended by the hard deadline, 1 failed."""
    status = KernelStatus(found["kernel_status"])
    run = found.get("run") or {}
    if status.under_way:
        return 4
    if run.get("reason") == STOP_HARD and status.state in ("COMPLETE", "ERROR"):
        return 6
    if status.state == "COMPLETE":
        if not run:
            return 0  # a notebook that keeps no run has done what it does
        return {COMPLETE: 0, STOPPED: 4}.get(str(run.get("status")), 1)
    if status.state == "CANCEL_ACKNOWLEDGED":
        return 4 if found.get("checkpoints") else 1
    return 1
