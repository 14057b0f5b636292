"""``python -m benchmarks.league.speed_part NAME MODEL SIZE``: measure one part; its rows are the last line printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

from benchmarks.league.speed_rows import Row
from benchmarks.league.speed_size import SIZES, Size

PARTS = ("generation", "collector", "games", "training", "memory", "ray")
"""Each a module speed_NAME with a function ``measure(size, model)``."""


def part(name: str) -> Callable[[Size, Path], list[Row]]:
    """Return what measures a part."""
    module: Mapping[str, Callable[[Size, Path], list[Row]]] = vars(
        import_module(f"benchmarks.league.speed_{name}")
    )
    return module["measure"]


def main(words: list[str]) -> int:
    """Measure; whatever else is printed meanwhile goes to stderr."""
    name, model, size = words
    with redirect_stdout(sys.stderr):
        rows = part(name)(SIZES[size], Path(model))
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
