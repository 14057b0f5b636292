"""The order of a chain: what runs, how far, and at what limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kit.notebooks.launch import Launch
from kit.remote.kernel import KernelOrder
from kit.remote.waiting import EVERY_S

SHORTEST_S = 600.0
"""A session shorter than this is not worth its start."""


@dataclass(frozen=True)
class ChainOrder:
    """What to run, and how far.

    Attributes:
        kernel: the notebook and how it is pushed; its owner and slug name the kernel.
        out: the run folder at home; the chain's own folder lies beside it.
        quick: the launch of the quick test that comes before the first push, None to do without.
        max_sessions: how many sessions it may pay for in all.
        max_gpu_hours: how many GPU hours in all, None for what the account has.
        by_dataset: hand over by a dataset even where a version is COMPLETE.
        retry: go on after a session that brought nothing.
        fresh: move the chain and the run that are there aside.
        every_s: seconds between two questions how a session stands.
        shortest_s: a session shorter than that is not begun.
    """

    kernel: KernelOrder
    out: Path
    quick: Launch | None = None
    max_sessions: int = 20
    max_gpu_hours: float | None = None
    by_dataset: bool = False
    retry: bool = False
    fresh: bool = False
    every_s: float = EVERY_S
    shortest_s: float = SHORTEST_S
