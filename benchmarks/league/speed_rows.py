"""The rows of speed, and their medians over repeats in which the alternatives take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

Row = dict[str, Any]


def row(
    name: str, value: float, unit: str, against: str, ratio: float | None, *, met: bool | None = None
) -> Row:
    """Return a figure beside what it is held against."""
    found: Row = {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio}
    return found if met is None else found | {"met": met}


def cpu_seconds(works: Sequence[Callable[[], object]], repeats: int, before: int = 1) -> list[float]:
    """Return the median CPU-seconds of each of ``works``, which take turns, after rounds that do not count."""
    for work in [*works] * before:
        work()
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for seconds, work in zip(taken, works, strict=True):
            began = time.process_time()
            work()
            seconds.append(time.process_time() - began)
    return [statistics.median(seconds) for seconds in taken]
