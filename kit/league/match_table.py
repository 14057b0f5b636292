"""The match table: who met whom, how often, and how it came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from kit.league.outcome import score


class MatchTable:
    """Counts by pair of names, by environment: won by the first, drawn, won by the second. Names are in order."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], list[int]] = {}

    def add(self, uids: Sequence[str], scores: Sequence[float], env_id: str) -> None:
        """Count a game for each pair of its seats; two seats of one name are a pair too, and a mirror game."""
        for one, other in combinations(range(len(uids)), 2):
            if uids[one] > uids[other]:
                one, other = other, one
            row = self._counts.setdefault((env_id, uids[one], uids[other]), [0, 0, 0])
            row[round(2 - 2 * score(scores[one], scores[other]))] += 1

    def games(self, one: str, other: str) -> int:
        """Return how often two met, in all environments; a name with itself: mirror games."""
        return sum(self.results(one, other))

    def results(self, one: str, other: str, env_id: str | None = None) -> tuple[int, int, int]:
        """Return (won by ``one``, drawn, won by ``other``), in one environment or all.

        A mirror game that was not drawn is won by its first seat.
        """
        first, second = sorted((one, other))
        rows = [
            row
            for (env, *pair), row in self._counts.items()
            if pair == [first, second] and env_id in (None, env)
        ]
        won, drawn, lost = (sum(row[place] for row in rows) for place in range(3))
        return (won, drawn, lost) if one == first else (lost, drawn, won)

    def pairs(self) -> dict[tuple[str, str], int]:
        """Return how often each pair met, in order of the first time."""
        found: dict[tuple[str, str], int] = {}
        for (_, one, other), row in self._counts.items():
            found[one, other] = found.get((one, other), 0) + sum(row)
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return all counts."""
        return {"rows": [[*key, *row] for key, row in self._counts.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back."""
        self._counts = {(env, one, other): list(row) for env, one, other, *row in state["rows"]}
