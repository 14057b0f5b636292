"""What a quick test measured beside its phases: log, disk, checkpoint cost, and the plan of the full run."""

from __future__ import annotations

from typing import Any

from kit.harness.outputs import RobustOutputManager
from kit.harness.run_folder import RunFolder
from kit.harness.run_log import RunLog
from kit.harness.throttle_table import UNTAGGED
from kit.timing.plan import RunPlan

GROWING = ("metrics.csv", "timing.csv")
RARE = 0.01
"""Untagged lines that are fewer than this share of the steps do not come with the steps: they are said once."""


def measured_of(
    folder: RunFolder, outputs: RobustOutputManager, log: RunLog, plan: RunPlan, timesteps: int
) -> dict[str, Any]:
    """Return the ``measured`` object of timing.json; see ``kit.timing.measured.Measurement``."""
    lines, text_bytes = log.written()
    fixed_lines, fixed_bytes = _fixed_log(log, timesteps)
    growing = sum((folder.root / name).stat().st_size for name in GROWING if (folder.root / name).exists())
    fixed = sum(
        path.stat().st_size
        for path in folder.root.rglob("*")
        if path.is_file()
        and path.name not in GROWING
        and not path.is_relative_to(folder.checkpoints)
        and not path.name.startswith(folder.archive.name)
    )
    base = outputs.checkpoint_bytes - (plan.checkpoint_bytes(0.0, timesteps))
    return {
        "timesteps": timesteps,
        "plan": plan.as_json(),
        "log_lines": lines - fixed_lines,
        "log_bytes": text_bytes - fixed_bytes,
        "log_fixed_lines": fixed_lines,
        "log_fixed_bytes": fixed_bytes,
        "checkpoint_cost_s": outputs.checkpoint_cost_s,
        "disk_fixed_bytes": fixed,
        "disk_per_step_bytes": growing / max(1, timesteps),
        "checkpoint_base_bytes": max(0.0, base),
    }


def _fixed_log(log: RunLog, timesteps: int) -> tuple[int, int]:
    """Return the lines and bytes that do not grow with the steps: those without a tag, where they are rare."""
    untagged = log.counts().get(UNTAGGED, {"passed": 0, "bytes_passed": 0})
    if untagged["passed"] > max(10, RARE * timesteps):
        return 0, 0
    return untagged["passed"], untagged["bytes_passed"]
