"""What a league found out, for results.json: ratings, meetings, scores, and a few games as they were played."""

from __future__ import annotations

from typing import Any

from kit.league.kuhn_monitor import KuhnMonitor
from kit.league.league import League, scores
from kit.league.transcript import transcript

GAMES = 6
"""Games that are shown."""


def results(league: League, games: int = 0) -> dict[str, Any]:
    """Return the standing of a league that has been played to its end.

    Args:
        league: it.
        games: games that measure to be played now, with the last policy; 0: as many as an evaluation has.
    """
    parts = league.parts
    games = games or league.settings.eval_games
    records = league.evaluate(games) if parts.scheduler.evaluates and games else []
    found: dict[str, Any] = {
        "updates": league.iteration,
        **parts.registry.view(),
        "games": parts.scheduler.view(),
        "broken": parts.collector.faults.total,
        "scores": scores(records),
        "evaluated": len(records),
        "transcripts": [transcript(record) for record in records[:GAMES]],
    }
    for monitor in parts.monitors:
        if isinstance(monitor, KuhnMonitor):
            found["exploitability"] = monitor.figures()
            found["policy"] = monitor.policies[-1]
    return found
