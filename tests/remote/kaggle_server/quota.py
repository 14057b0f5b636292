"""The GPU hours of the week: what was allowed, what was used."""

from __future__ import annotations

import threading
from datetime import UTC, datetime


class Quota:
    """GPU seconds of one account."""

    def __init__(self, allowed_s: float) -> None:
        self.allowed_s = allowed_s
        self.refresh = datetime(2026, 11, 28, tzinfo=UTC)
        self._used_s = 0.0
        self._lock = threading.Lock()

    @property
    def used_s(self) -> float:
        """Seconds that are used up."""
        return self._used_s

    def charge(self, seconds: float) -> None:
        """Use up so many seconds."""
        with self._lock:
            self._used_s += seconds

    def refusal(self) -> str | None:
        """Return why a GPU session can not start, None where it can."""
        if self._used_s < self.allowed_s:
            return None
        return f"Maximum weekly GPU quota of {self.allowed_s / 3600:.2f} hours reached."

    def statistics(self) -> dict[str, object]:
        """Answer GetAcceleratorQuotaStatistics."""
        gpu = {"timeUsed": f"{round(self._used_s)}s", "totalTimeAllowed": f"{round(self.allowed_s)}s"}
        tpu = {"timeUsed": "0s", "totalTimeAllowed": f"{20 * 3600}s"}
        return {
            "quotaRefreshTime": self.refresh.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "gpuQuota": gpu,
            "tpuQuota": tpu,
        }
