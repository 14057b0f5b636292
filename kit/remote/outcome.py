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
from kit.harness.summary import COMPLETE, STOPPED
from kit.harness.watchdog import STOP_HARD
from kit.remote.client import KaggleClient
from kit.remote.kernel_ref import KernelRef
from kit.remote.left_summary import read_left_summary
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
    return {"run": _summary(client, ref, run, listing), "checkpoints": run.archived or run.step >= 0}


def _summary(
    client: KaggleClient, ref: KernelRef, run: OutputRun, listing: OutputListing
) -> dict[str, Any] | None:
    if SUMMARY not in run.names:
        return None
    with tempfile.TemporaryDirectory(prefix="kit-kaggle-") as folder:
        path = Path(folder) / SUMMARY
        name = run.name(SUMMARY)

        def address(anew: bool) -> str:
            if anew:
                listing.files.update(client.output(ref).files)
            return listing.files[name]

        client.downloads().to(path, address, name)
        return read_left_summary(path) or None


def exit_code_of_run(found: Mapping[str, Any]) -> int:
    """Return the exit code of what came home: 5 where no checkpoint verifies, else as ``exit_code``."""
    if not found["ok"]:
        return 5
    return exit_code(found["kernel_status"], found, continuable=bool(found["resumable"]))


def exit_code_of_state(state: State) -> int:
    """Return the exit code of a kernel's status alone: 0 it came to its end, 4 it runs, 1 it did not."""
    return 4 if KernelStatus(state).under_way else 0 if state == "COMPLETE" else 1


def exit_code_of(found: Mapping[str, Any]) -> int:
    """Return the exit code of what ``kernel_outcome`` found."""
    return exit_code(
        found["kernel_status"], found.get("run") or {}, continuable=bool(found.get("checkpoints"))
    )


def exit_code(state: State, run: Mapping[str, Any], *, continuable: bool) -> int:
    """Return 0 complete, 4 runs or can be continued, 6 ended by the hard deadline, 1 failed.

    A notebook that failed has failed, even where its run (``status``, ``reason``; empty where it kept none) is
    complete.
    """
    if KernelStatus(state).under_way:
        return 4
    if run.get("reason") == STOP_HARD and state in ("COMPLETE", "ERROR"):
        return 6
    status = run.get("status")
    if state == "CANCEL_ACKNOWLEDGED":
        return 0 if status == COMPLETE else 4 if continuable else 1
    if state == "COMPLETE":
        # A notebook that keeps no run has done what it does.
        return {COMPLETE: 0, STOPPED: 4}.get(str(status), 1) if run else 0
    return 1
