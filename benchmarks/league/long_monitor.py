"""WorthMonitor: what each so-many-th policy of tic-tac-toe is worth, exactly, in the run's rows of metrics."""

from __future__ import annotations

from typing import Any

from benchmarks.league.long_exact import figures
from kit.league.learners.base import POLICY
from kit.lm.language_model import LanguageModel


class WorthMonitor:
    """Looks at every ``every``-th policy, and changes nothing."""

    def __init__(self, lm: LanguageModel, every: int) -> None:
        self._lm, self._every, self._looks = lm, every, 0

    def look(self) -> dict[str, float]:
        """Return the figures of every so-many-th policy, nothing of those between."""
        self._looks += 1
        return {} if self._looks % self._every else figures(self._lm, adapter=POLICY)

    def state_dict(self) -> dict[str, Any]:
        """Return how many policies there were."""
        return {"looks": self._looks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Count on from there."""
        self._looks = int(state["looks"])
