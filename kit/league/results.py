"""What a league found out, for results.json: ratings, meetings, scores, and a few games as they were played."""

from __future__ import annotations

from typing import Any

from kit.league.kuhn_monitor import KuhnMonitor
from kit.league.league import League


def results(league: League) -> dict[str, Any]:
    """Return the standing of a league, as plain values."""
    parts = league.parts
    found: dict[str, Any] = {
        "updates": league.iteration,
        **parts.registry.view(),
        "games": parts.scheduler.view(),
        "broken": parts.collector.faults.total,
        "evaluation": league.evaluation,
    }
    for monitor in parts.monitors:
        if isinstance(monitor, KuhnMonitor):
            found["exploitability"] = monitor.figures()
            found["policy"] = monitor.policy
    return found
