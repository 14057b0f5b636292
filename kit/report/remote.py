"""What a person reads of the way to Kaggle and back: a push and its cost, a kernel, what came home, a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kit.harness.deadline import HOUR_S, format_duration
from kit.harness.size import format_size
from kit.report.terminal import as_text, plain_table

KERNEL_WORDS = {
    "QUEUED": "waits for a machine",
    "RUNNING": "runs",
    "CANCEL_REQUESTED": "is being cancelled",
    "COMPLETE": "came to its end",
    "ERROR": "failed",
    "CANCEL_ACKNOWLEDGED": "was cancelled, or stopped at its limit",
    "NEW_SCRIPT": "has never run",
}


def cost_text(cost: Mapping[str, Any], forecast: Mapping[str, Any] | None) -> str:
    """Return what a session costs of the quota, and whether the run fits into it; the forecast was made here."""
    lines = []
    if forecast is not None:
        fits = "fits" if forecast["verdict"] == "fit" else "DOES NOT FIT"
        lines.append(
            f"Forecast, made on this machine: {_time(forecast['predicted_s'])} ({_time(forecast['low_s'])} to "
            f"{_time(forecast['high_s'])}); {fits} into a session, whose soft limit is "
            f"{_time(forecast['soft_limit_s'])}. Kaggle's machine is another one."
        )
    if cost["gpu"] == "none":
        lines.append("No GPU asked for: it costs no quota.")
    else:
        left = (
            f"{cost['left_hours']:.1f} h are left"
            if cost["left_hours"] is not None
            else "what is left is not told"
        )
        lines.append(
            f"GPU quota: {cost['hours']:.2f} h, at most {cost['most_hours']:.2f} h of {cost['gpu']}; {left}."
        )
    return "\n".join(lines)


def chain_cost_text(forecast: Mapping[str, Any] | None, left_hours: float | None, *, gpu: bool) -> str:
    """Return what a whole chain will take: sessions, time, and GPU hours beside what is left of the week's."""
    if forecast is None:
        return "No quick test, so no forecast of how many sessions it takes."
    split = next(option for option in forecast["options"] if option["name"] == "C")
    sessions = 1 if forecast["verdict"] == "fit" else split["sessions"]
    hours = (forecast["predicted_s"] if sessions == 1 else split["predicted_s"]) / HOUR_S
    lines = [
        f"Forecast, made on this machine: {_time(hours * HOUR_S)} in {sessions} session{'s' * (sessions != 1)}."
    ]
    if gpu:
        left = "what is left is not told" if left_hours is None else f"{left_hours:.1f} h are left this week"
        lines.append(f"GPU quota: {hours:.2f} h of T4 x2 in all; {left}.")
    return " ".join(lines)


def push_text(found: Mapping[str, Any]) -> str:
    """Return what was pushed, or built."""
    size = f"{found['folder']} ({format_size(found['size_bytes'])})"
    if "url" not in found:
        limit = f" -t {found['session_limit_s']:.0f}" if found["session_limit_s"] else ""
        return f"BUILT: {size}\nkaggle kernels push -p {found['folder']}{limit}"
    version = f", version {found['version']}" if found["version"] else ""
    return "\n".join(
        [
            f"PUSHED: {found['kernel']}{version}, from {size}",
            str(found["url"]),
            f"python validation_cli.py logs {found['kernel']} --follow   # then: pull {found['kernel']}",
        ]
    )


def status_text(found: Mapping[str, Any]) -> str:
    """Return how a kernel stands, and the run in it."""
    words = KERNEL_WORDS.get(found["kernel_status"], "")
    lines = [f"{found['kernel']}: {found['kernel_status']}, {words}"]
    if found["failure_message"]:
        lines.append(str(found["failure_message"]))
    run, progress = found.get("run"), found.get("progress")
    if run:
        lines.append(
            f"run: {run.get('status')} ({run.get('reason')}), step {_number(run, 'step')} of "
            f"{_number(run, 'total_timesteps')}"
        )
    elif progress:
        lines.append(progress_text(progress))
    if found["kernel_status"] not in ("QUEUED", "RUNNING", "CANCEL_REQUESTED") and found.get("checkpoints"):
        lines.append(f"python validation_cli.py pull {found['kernel']}")
    return "\n".join(lines)


def progress_text(progress: Mapping[str, Any]) -> str:
    """Return how far a run said that it was."""
    left = f", {progress['left']} left" if progress.get("left") else ""
    return f"step {progress['step']:,} of {progress['total']:,}, {progress['phase']}{left}"


def logs_text(found: Mapping[str, Any]) -> str:
    """Return what stands below a log: how the kernel stands, and how far its run was."""
    words = KERNEL_WORDS.get(found["kernel_status"], "")
    lines = [f"{found['kernel']}: {found['kernel_status']}, {words}"]
    if found["failure_message"]:
        lines.append(str(found["failure_message"]))
    if found["progress"]:
        lines.append(progress_text(found["progress"]))
    return "\n".join(lines)


def pull_text(found: Mapping[str, Any]) -> str:
    """Return what came home."""
    source = {
        "archive": f"its archive verified, {found['files']} files",
        "files": f"{found['files']} loose files, since no archive of this state was there; archived here",
        "unchanged": "it was here already",
    }[found["source"]]
    lines = [
        f"{found['kernel']}: {found['kernel_status']}, {format_size(found['bytes'])} downloaded; {source}",
        f"run: {found['status']} ({found['reason']}), step {found['step']:,} of {found['total_timesteps']:,}",
    ]
    lines += [f"  {one['name']}: {one['fault']}" for one in found["checkpoints"] if one["fault"]]
    if found["unverified"]:
        lines.append(f"unverified, no checksum covers them: {_some(found['unverified'])}")
    lines.append(f"{found['run_dir']}/report.html   {found['run_dir']}/artifacts.zip")
    if found["continue_with"] and found["resumable"]:
        lines.append(str(found["continue_with"]))
    return "\n".join(lines)


def chain_text(found: Mapping[str, Any]) -> str:
    """Return a chain's sessions and where it stands."""
    table = plain_table(["session", "began at", "reached", "got the run", "kernel", "run"], "rrrlll")
    for one in found["sessions"]:
        how = {"none": "", "kernel": "from the one before", "dataset": "by dataset"}[one["carry"]]
        table.add_row(
            str(one["number"]),
            f"{one['from_step']:,}",
            f"{one['step']:,}",
            how,
            one["kernel_status"] or one["stage"],
            one["run_status"],
        )
    cost = f", {found['gpu_hours']:.2f} GPU hours" if found["gpu_hours"] else ""
    lines = [as_text(table)] if found["sessions"] else []
    lines.append(
        f"{found['status'].upper()}: {found['reason']}   step {found['step']:,} of {found['total_timesteps']:,}, "
        f"{len(found['sessions'])} sessions{cost}"
    )
    if found["status"] == "complete":
        lines.append(f"{found['run_dir']}/report.html   {found['run_dir']}/artifacts.zip")
    elif found["status"] == "stopped":
        lines.append("The same command with a higher limit goes on.")
    else:
        lines.append(
            "`logs` shows what it said. Once that is mended, --retry goes on from the last sound state."
        )
    return "\n".join(lines)


def _number(run: Mapping[str, Any], name: str) -> str:
    return f"{run[name]:,}" if name in run else "(not known)"


def _some(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _time(seconds: float) -> str:
    return format_duration(round(seconds, 1) if seconds < HOUR_S else round(seconds))
