"""Backoff: how often something that may succeed later is tried again, and how long is waited in between."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from kit.errors import RemoteError

logger = logging.getLogger(__name__)

T = TypeVar("T")
Pause = Callable[[float], object]
"""Waits that many seconds; tests hand in one that only notes them."""


def wait(seconds: float) -> None:
    """Let that many seconds pass."""
    threading.Event().wait(seconds)


class GivenUpError(RemoteError):
    """A failure that may be over later, and that was not over after all attempts."""


class PassingError(RemoteError):
    """A failure that may be over in a moment: too many requests, a server's error, a broken connection.

    ``after_s`` are the seconds that the server asked to wait, None where it did not say. ``sure`` is whether what
    was asked for was certainly not done.
    """

    def __init__(self, message: str, *, after_s: float | None = None, sure: bool = True) -> None:
        super().__init__(message)
        self.after_s, self.sure = after_s, sure


@dataclass(frozen=True)
class Backoff:
    """``tries`` attempts in all; before attempt k + 1 it waits ``first_s`` × 2^(k − 1) seconds, at most ``most_s``.

    Up to a quarter of each is chance, so that many clients do not come back at one instant. Where the server says
    how long to wait, it is waited that long, at most ``longest_s``.
    """

    tries: int = 6
    first_s: float = 2.0
    most_s: float = 60.0
    longest_s: float = 600.0
    pause: Pause = wait
    chance: Callable[[], float] = field(default=random.random)

    def retry(self, act: Callable[[], T], what: str) -> T:
        """Return what ``act`` returns, tried again while it raises PassingError; the last one is raised."""
        for attempt in range(1, self.tries + 1):
            try:
                return act()
            except PassingError as error:
                if attempt == self.tries:
                    raise GivenUpError(f"{error} Tried {self.tries} times.") from error
                self.wait_after(attempt, error, what)
        raise AssertionError("unreachable")

    def wait_after(self, attempt: int, error: PassingError, what: str) -> None:
        """Wait before the attempt that follows ``attempt``."""
        seconds = self.seconds(attempt, error.after_s)
        logger.warning("%s: %s Trying again in %.0f s.", what, error, seconds)
        self.pause(seconds)

    def seconds(self, attempt: int, after_s: float | None = None) -> float:
        """Return how long to wait after failed attempt number ``attempt`` (from 1)."""
        if after_s is not None:
            return min(max(after_s, 0.0), self.longest_s)
        return float(min(self.most_s, self.first_s * 2.0 ** (attempt - 1)) * (1.0 + self.chance() / 4.0))
