"""Finite numbers: Python's JSON knows NaN and infinities, which JSON does not."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> Any:
    """Return plain data (dicts, lists, tuples, scalars) with None in the place of each NaN and each infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return value
