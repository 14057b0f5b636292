"""Time pressure: what the session does when the run would end after its soft deadline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kit.harness.deadline import Deadline, format_duration
from kit.harness.scaling import TimestepScaler
from kit.timing.phases import PHASES

logger = logging.getLogger(__name__)

TRAINING = frozenset(PHASES) - {"finalise"}


class Pressure:
    """Feeds the pace of a session to its scaler, and says aloud when the total changes because of it."""

    def __init__(self, scaler: TimestepScaler, deadline: Deadline) -> None:
        self._scaler, self._deadline = scaler, deadline
        self._after_s = 0.0

    def expect_after_training(self, forecast: Mapping[str, Any] | None) -> None:
        """Reserve the time of what follows the last step (tests, finalisation), where a forecast tells it."""
        rows = forecast["phases"] if forecast else []
        self._after_s = sum(float(row["total_s"]) for row in rows if row["name"] not in TRAINING)

    def observe(self, step: int, gap_s: float) -> bool:
        """Take note of the pace at a boundary, the longest gap so far being ``gap_s``; True: the total changed."""
        self._scaler.reserve_s = self._after_s
        self._scaler.margin_s = 2.0 * gap_s  # a run stops one gap before the deadline
        change = self._scaler.observe(step, self._deadline.elapsed_s())
        if change is None:
            return False
        if change.after > change.before:
            logger.info(
                "The pace leaves time again: the total is raised from %s to %s steps.",
                f"{change.before:,}",
                f"{change.after:,}",
            )
            return True
        logger.warning(
            "Under time pressure: at this pace the run would end after %s, past the soft limit of %s; "
            "the total is reduced from %s to %s steps.",
            format_duration(change.predicted_s),
            format_duration(change.limit_s),
            f"{change.before:,}",
            f"{change.after:,}",
        )
        return True
