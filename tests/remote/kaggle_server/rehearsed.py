"""The machine that really runs what was pushed: the rehearsal, with limits of its own where it is told any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kit.remote.rehearse import Rehearsal, RehearsalOrder, rehearse
from tests.remote.kaggle_server.session import Run


def rehearsed(longest_s: float, limits: Mapping[str, int] | None = None) -> Run:
    """Return a runner that rehearses.

    Args:
        longest_s: The most that any session gets; a push that says less gets less.
        limits: ``memory_bytes`` and ``disk_bytes`` of the machine, where not Kaggle's.
    """

    def run(folder: Path, limit_s: float, inputs: Mapping[str, Path], out: Path) -> Rehearsal:
        order = RehearsalOrder(folder, min(limit_s, longest_s), inputs, out)
        return rehearse(replace(order, **(limits or {})))

    return run
