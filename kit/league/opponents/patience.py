"""Patience: how long an answer may take, and how often it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from kit.errors import UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.league.draws import draw_uniform


def wait(seconds: float) -> None:
    """Let that many seconds pass."""
    threading.Event().wait(seconds)


@dataclass(frozen=True)
class Patience:
    """How long a question may take.

    Attributes:
        timeout_s: seconds for one attempt, from the connection to the last byte.
        tries: attempts in all.
        first_wait_s: before the second; each further wait is twice as long, and up to a quarter more by chance.
        most_wait_s: no wait is longer; where the server asks for more, the question is given up at once.
        pause: waits that many seconds; tests hand in one that only notes them.
        clock: tells when an attempt has taken too long.
    """

    timeout_s: float = 60.0
    tries: int = 5
    first_wait_s: float = 1.0
    most_wait_s: float = 60.0
    pause: Callable[[float], object] = wait
    clock: Clock = SYSTEM_CLOCK

    def __post_init__(self) -> None:
        if not self.timeout_s > 0.0:
            raise UsageError(f"timeout_s must be more than 0, not {self.timeout_s}.")
        if self.tries < 1:
            raise UsageError(f"tries must be at least 1, not {self.tries}.")

    def wait_s(self, attempt: int, seed: int) -> float:
        """Return how long to wait after failed attempt number ``attempt`` (from 1), where the server does not say."""
        grown = self.first_wait_s * 2.0 ** (attempt - 1) * (1.0 + draw_uniform(seed, f"wait {attempt}") / 4)
        return min(grown, self.most_wait_s)
