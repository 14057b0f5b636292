"""What every reward transform can do: tell its state, and take it back. Most have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class RewardTransform:
    """The root of the three kinds."""

    def state_dict(self) -> dict[str, Any]:
        """Return what its results depend on beside its arguments."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put that back."""
