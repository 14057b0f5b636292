"""A gate: the state of one tag's throttle rule, and what it let pass and held back.

The number of a call comes from ``itertools.count``, which hands out each number once whatever the threads do,
so that ``passed + dropped == seen`` holds by construction and a suppressed call needs no lock.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

BLOCK_LINES = 10  # of one step or one guarded block: a diagnostic is rarely longer, a flood is
NEVER = 1 << 62  # as ``due``: suppress all calls


@dataclass(frozen=True)
class Counts:
    """Lines and UTF-8 bytes of one tag, passed and dropped. What a guard suppresses counts 0 bytes."""

    passed: int = 0
    dropped: int = 0
    bytes_passed: int = 0
    bytes_dropped: int = 0

    @property
    def seen(self) -> int:
        """Lines that asked to pass."""
        return self.passed + self.dropped


class Guard(Protocol):
    """Called before logging on a hot path."""

    def __call__(self, value: object = ..., /) -> bool:
        """Return whether to log; ``value`` is what the rules ``on change`` and ``last only`` go by."""
        ...


class Sink(Protocol):
    """Where a held line goes when the throttle is flushed."""

    def __call__(self, text: str, origin: Any, /) -> None:
        """Write ``text``; ``origin`` is what was handed in with it."""
        ...


Held = tuple[str, Sink, Any]


class Gate:
    """One tag's rule at work. Without a rule (the base class) everything passes, and is counted."""

    def __init__(self, tag: str, lock: Any = None) -> None:
        self.tag = tag
        self.lock = lock or threading.RLock()
        self.calls = itertools.count()  # the number of the next call; 0-based
        self.due = 0  # calls below this number are suppressed unseen
        self.held: Held | None = None
        self._admitted = 0  # calls, of those numbered, that passed
        self._unnumbered = [0, 0]  # lines dropped, passed with their block, without a number of their own
        self._bytes = [0, 0]  # dropped, passed

    def judge(self, text: str, size: int, sink: Sink, origin: Any = None) -> bool:
        """Return whether the line ``text`` of ``size`` bytes passes; if not, it is held for the flush."""
        number = next(self.calls)
        with self.lock:
            passes = number >= self.due and self._admit(number, text)
            self._bytes[passes] += size
            if passes:
                self._admitted += 1
                self.held = None
            else:
                self.held = (text, sink, origin)
        return passes

    def count(self, passes: bool, size: int, lines: int = 1) -> None:
        """Count ``lines`` that went the way of their block without being judged."""
        with self.lock:
            self._unnumbered[passes] += lines
            self._bytes[passes] += size

    def extend_held(self, text: str, sink: Sink) -> None:
        """Append a dropped continuation line to the line held from the same ``sink``, up to a block."""
        with self.lock:
            if self.held and self.held[1] == sink and self.held[0].count("\n") < BLOCK_LINES:
                self.held = (self.held[0] + text, sink, self.held[2])

    def take_held(self) -> Held | None:
        """Return the last line if it was suppressed, once."""
        with self.lock:
            held, self.held = self.held, None
        return held

    def counts(self) -> Counts:
        """Return what passed and was dropped so far."""
        with self.lock:
            # The repr is the one way to read a count without advancing it: pickling it is deprecated.
            numbered = int(repr(self.calls)[len("count(") : -1])
            dropped = numbered - self._admitted + self._unnumbered[False]
            return Counts(
                self._admitted + self._unnumbered[True], dropped, self._bytes[True], self._bytes[False]
            )

    def guard(self, admitted: Callable[[Gate], None], sink: Sink) -> Guard:
        """Return a guard that calls ``admitted`` when it passes and leaves a last value to ``sink``."""
        del sink  # this kind of guard knows no value
        calls, gate = self.calls, self

        def guard(value: object = None, /) -> bool:
            if (number := next(calls)) < gate.due:
                return False
            return gate._pass_guard(number, value, admitted)

        return guard

    def tell_step(self, step: int) -> None:
        """Take note of the current environment step."""

    def _admit(self, _number: int, _value: object) -> bool:
        """Return whether call ``number`` passes; the lock is held. Sets ``due`` where it can."""
        return True

    def _pass_guard(self, number: int, value: object, admitted: Callable[[Gate], None]) -> bool:
        with self.lock:
            if number < self.due or not self._admit(number, value):
                return False
            self._admitted += 1
            self.held = None
        admitted(self)
        return True
