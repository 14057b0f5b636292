"""An endless DataLoader that continues where it was: its epochs are shuffled by their number."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset


class Batches:
    """Gives batch after batch, epoch after epoch; registered with a session, it goes on after the last one given."""

    def __init__(self, data: Dataset[Any], batch: int, seed: int) -> None:
        self._generator = torch.Generator()
        self._loader = DataLoader(
            data, batch_size=batch, shuffle=True, drop_last=True, generator=self._generator
        )
        self._seed, self._epoch, self._given = seed, 0, 0
        self._left = self._shuffled()

    def _shuffled(self) -> Any:
        self._generator.manual_seed(1_000_003 * self._seed + self._epoch)
        return iter(self._loader)

    def __next__(self) -> Any:
        """Return the next batch, as the loader collates it."""
        if self._given == len(self._loader):
            self._epoch, self._given = self._epoch + 1, 0
            self._left = self._shuffled()
        self._given += 1
        return next(self._left)

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the batches given in it."""
        return {"epoch": self._epoch, "given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go where ``state`` was."""
        self._epoch, self._given = int(state["epoch"]), int(state["given"])
        self._left = self._shuffled()
        for _ in range(self._given):
            next(self._left)
