"""Loss scaling: gradients that fp16 would round to zero are lifted by a power of two (Micikevicius et al. 2018)."""

from __future__ import annotations

from typing import Any

import torch

LARGEST = 2.0**24
GROW_AFTER = 200


class LossScale:
    """The factor of the loss, by which gradients are divided again: 1 but for fp16, whose range ends at 6e-8.

    A loss that is divided by thousands of tokens has gradients below that. Where the factor makes one overflow it
    is halved and the batch taken again; after 200 updates in order it is doubled. Powers of two: nothing is rounded.

    Attributes:
        value: the factor.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._used = dtype == torch.float16
        self.value, self._in_order = (2.0**16, 0) if self._used else (1.0, 0)

    def lowered(self) -> bool:
        """Halve it after gradients that are not finite; false where it is 1 already, and cannot be the reason."""
        if self.value <= 1.0:
            return False
        self.value, self._in_order = self.value / 2, 0
        return True

    def passed(self) -> None:
        """Count an update in order."""
        self._in_order += 1
        if self._used and self._in_order >= GROW_AFTER:
            self.value, self._in_order = min(LARGEST, self.value * 2), 0

    def state_dict(self) -> dict[str, Any]:
        """Return the factor and the count."""
        return {"value": self.value, "in_order": self._in_order}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` returned."""
        self.value, self._in_order = state["value"], state["in_order"]
