"""What a person reads of a rehearsal: how the machine's run ended, and how the training stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.harness.deadline import format_duration
from kit.report.terminal import summary_text


def rehearsal_text(summary: Mapping[str, Any]) -> str:
    """Return the machine's verdict, as Kaggle would give it, and the summary of the run."""
    rehearsal = summary["rehearsal"]
    run = summary_text(summary, summary["run_dir"])
    if rehearsal is None:
        return f"There was nothing left to rehearse.\n{run}"
    took, limit = (format_duration(round(rehearsal[name], 1)) for name in ("elapsed_s", "limit_s"))
    lines = [f"Kaggle would say {rehearsal['status']}, exit code {rehearsal['exit_code']}: {took} of {limit}"]
    if rehearsal["failure_message"]:
        lines.append(f'  "{rehearsal["failure_message"]}"')
    if rehearsal["isolation"] != "namespaces":
        lines.append("  in a redirected folder, not /kaggle: this machine allows no namespaces")
    if rehearsal["log"]:
        lines.append(f"  log {rehearsal['log']}")
    return "\n".join([*lines, run])
