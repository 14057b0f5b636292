"""FaultWatch: games that break are data, until too many do."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from kit.errors import GameError, UsageError
from kit.league.game_record import GameRecord


@dataclass(frozen=True)
class FaultBound:
    """How many of the recent games may break.

    Attributes:
        share: more than this share of them ends the run.
        recent: how many games are looked back on.
        least: games before anything is judged.
    """

    share: float = 0.2
    recent: int = 100
    least: int = 20

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0 or not 1 <= self.least <= self.recent:
            raise UsageError(
                f"share must be from 0 to 1, and least from 1 to recent, not {self.share}, and {self.least} of "
                f"{self.recent}."
            )


class FaultWatch:
    """Counts games that broke, and raises where they are too many: an environment, or an opponent, is out of order."""

    def __init__(self, bound: FaultBound | None = None) -> None:
        self.bound = bound or FaultBound()
        self.total = 0
        self._recent: deque[str] = deque(maxlen=self.bound.recent)

    def note(self, record: GameRecord) -> None:
        """Look at a game that is over.

        Raises:
            GameError: more of the recent games broke than the bound allows; names the last fault.
        """
        self._recent.append(record.fault)
        self.total += bool(record.fault)
        broken = sum(map(bool, self._recent))
        if len(self._recent) >= self.bound.least and broken > self.bound.share * len(self._recent):
            last = next(fault for fault in reversed(self._recent) if fault)
            raise GameError(
                f"{broken} of the last {len(self._recent)} games broke, more than {self.bound.share:.0%}. "
                f"The last: {last}"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return what the next games are judged with."""
        return {"total": self.total, "recent": list(self._recent)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what ``state_dict`` returned."""
        self.total = state["total"]
        self._recent = deque(state["recent"], maxlen=self.bound.recent)
