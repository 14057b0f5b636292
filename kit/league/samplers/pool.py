"""The pool: the checkpoints that samplers over a policy's whole past draw from, bounded, and the fixed opponents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.errors import UsageError, choose
from kit.league.model_registry import ModelRegistry
from kit.league.samplers.model_samplers import BaseModelSampler

ALL, CHECKPOINTS, FIXED = "all", "checkpoints", "fixed"


class PoolModelSampler(BaseModelSampler):
    """Holds at most ``most`` checkpoints; what a subclass draws by are its ``weights``.

    When there are more, the one goes whose neighbours are closest together (the older of two such), never the first
    and never the newest two: those left are spread over the whole past.
    """

    def __init__(self, model_registry: ModelRegistry, *, opponents: str = ALL, most: int = 32) -> None:
        super().__init__(model_registry)
        if most < 3:
            raise UsageError(f"most must be at least 3 checkpoints, not {most}.")
        self.opponents = opponents
        self._takes = choose(
            "opponents",
            opponents,
            {ALL: (True, True), CHECKPOINTS: (True, False), FIXED: (False, True)},
        )
        self.most = most
        self._kept: list[str] = []
        self._seen = 0

    def candidates(self) -> tuple[str, ...]:
        """Return whom it draws from now: checkpoints, oldest first, then fixed opponents.

        Raises:
            UsageError: nobody.
        """
        checkpoints, fixed = self._takes
        self._look()
        there = (*(self._kept if checkpoints else ()), *(self.registry.fixed if fixed else ()))
        if not there:
            raise UsageError("There is no opponent to draw: add a fixed one to the registry.")
        return there

    def needs(self) -> tuple[str, ...]:
        """Return the checkpoints in the pool, the current one among them."""
        self._look()
        return tuple(self._kept) if self._takes[0] else (self.registry.current,)

    def _look(self) -> None:
        """Take in the checkpoints that came since, one by one: what is kept must not depend on when one looks."""
        there = self.registry.checkpoints
        for uid in there[self._seen :]:
            self._kept.append(uid)
            if len(self._kept) > self.most:
                self._drop(self._kept.pop(self._closest()))
        self._seen = max(self._seen, len(there))

    def _drop(self, uid: str) -> None:
        """Forget what is kept of a checkpoint that has left the pool."""

    def _closest(self) -> int:
        ages = [self.registry.entry(uid).iteration for uid in self._kept]
        return min(range(1, len(ages) - 2), key=lambda place: ages[place + 1] - ages[place - 1])

    def state_dict(self) -> dict[str, Any]:
        """Return which checkpoints are in the pool."""
        self._look()
        return {"kept": list(self._kept), "seen": self._seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put them back."""
        self._kept, self._seen = list(state["kept"]), int(state["seen"])
