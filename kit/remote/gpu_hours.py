"""GPU hours: what a session takes of the account's weekly quota at most, and whether that is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.harness.deadline import DEFAULT_SESSION_S, HOUR_S
from kit.remote.replies import GpuQuota
from kit.timing.quota import gpu_quota

T4_X2 = "T4 x2"


def cost_of(
    forecast: Mapping[str, Any] | None, limit_s: float | None, quota: GpuQuota | None, *, gpu: bool
) -> dict[str, Any]:
    """Return what one session costs: ``{gpu, hours, most_hours, left_hours, refresh_at, enough}``.

    ``hours`` is what the forecast says, ``most_hours`` the least of its upper bound and the session's limit. Two T4
    cost one hour an hour. Without a forecast the limit is all that bounds it. ``enough`` is None where Kaggle does not
    tell what is left.
    """
    limit_h = (limit_s or DEFAULT_SESSION_S) / HOUR_S
    hours, high = limit_h, limit_h
    if forecast is not None:
        said = gpu_quota(T4_X2, float(forecast["predicted_s"]), float(forecast["high_s"]))
        hours, high = said["hours"], said["high_hours"]
    most = min(high, limit_h) if gpu else 0.0
    left = quota.left_h if quota is not None and gpu else None
    return {
        "gpu": T4_X2 if gpu else "none",
        "hours": min(hours, limit_h) if gpu else 0.0,
        "most_hours": most,
        "left_hours": left,
        "refresh_at": quota.refresh_at if quota is not None else "",
        "enough": None if gpu and left is None else left is None or most <= left,
    }
