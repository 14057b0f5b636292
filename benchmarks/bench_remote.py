"""There and back, in figures: what is pushed, how soon it trains, and at what cost it comes home.

Each has a file of its own, which can be run alone: ``bench_pushed_size``, ``bench_first_step``, ``bench_pull``.
"""

from __future__ import annotations

from typing import Any

from benchmarks import bench_first_step, bench_pull, bench_pushed_size


def main() -> list[dict[str, Any]]:
    """Run all three and return their rows."""
    return [*bench_pushed_size.main(), *bench_first_step.main(), *bench_pull.main()]


if __name__ == "__main__":
    main()
