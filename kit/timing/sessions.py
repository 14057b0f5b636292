"""The phases of a run that took several sessions: their accounts, added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kit.timing.phases import PHASES

Row = dict[str, float | str]
ADDED = ("count", "total_s", "cpu_s")
NESTING_ADDED = ("visits", "count", "total_s")


def summed(*sessions: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return one row a phase, like ``PhaseTimer.rows``, of the rows of several sessions.

    Raises:
        ValueError, TypeError, KeyError: a row is not one that ``PhaseTimer.rows`` made.
    """
    added: dict[str, dict[str, float]] = {}
    for rows in sessions:
        for row in rows:
            account = added.setdefault(str(row["name"]), dict.fromkeys(ADDED, 0.0))
            for key in ADDED:
                account[key] += float(row[key])
    others = [name for name in added if name not in PHASES]
    return [_row(name, added[name]) for name in [*PHASES, *others] if name in added]


def summed_nesting(*sessions: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return one row for each phase inside another, like ``PhaseTimer.nesting``, of the rows of several sessions.

    Raises:
        ValueError, TypeError, KeyError: a row is not one that ``PhaseTimer.nesting`` made.
    """
    added: dict[tuple[str, str], dict[str, float]] = {}
    for rows in sessions:
        for row in rows:
            pair = str(row["name"]), str(row["inside"])
            account = added.setdefault(pair, dict.fromkeys(NESTING_ADDED, 0.0))
            for key in NESTING_ADDED:
                account[key] += float(row[key])
    return [{"name": name, "inside": inside, **account} for (name, inside), account in added.items()]


def _row(name: str, account: Mapping[str, float]) -> Row:
    count, total_s = account["count"], account["total_s"]
    mean_s = total_s / count if count else 0.0
    return {"name": name, "count": count, "total_s": total_s, "mean_s": mean_s, "cpu_s": account["cpu_s"]}
