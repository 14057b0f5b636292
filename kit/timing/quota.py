"""What a run costs of a weekly GPU quota: Kaggle grants 30 hours of GPU sessions a week, used or idle."""

from __future__ import annotations

import math
from typing import Any

WEEKLY_HOURS = 30.0
HOUR_S = 3600.0


def gpu_quota(gpu: str, predicted_s: float, high_s: float) -> dict[str, Any]:
    """Return ``{gpu, hours, high_hours, weekly_hours, share, weeks}`` of a run that takes so long.

    ``gpu`` is the kind of GPU in the machine; on one without ("none") it costs nothing. ``share`` is of one week's
    quota, ``weeks`` how many weeks' quota the upper bound takes.
    """
    has = gpu != "none"
    hours, high = (predicted_s / HOUR_S, high_s / HOUR_S) if has else (0.0, 0.0)
    return {
        "gpu": gpu,
        "hours": hours,
        "high_hours": high,
        "weekly_hours": WEEKLY_HOURS,
        "share": high / WEEKLY_HOURS,
        "weeks": math.ceil(high / WEEKLY_HOURS),
    }
