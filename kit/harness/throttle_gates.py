"""One gate for each throttle rule."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kit.errors import UsageError
from kit.harness.throttle_gate import BLOCK_LINES, NEVER, Gate, Guard, Held, Sink
from kit.harness.throttle_rules import EveryN, LastOnly, OnChange, PerSecond, Rule, Share

_DIGITS = re.compile(r"\d+")
_MAX_SUBJECTS = 64


class StepWindow:
    """The steps that gates need not be told, from ``told`` on and below ``next``: they open and close none."""

    __slots__ = ("next", "told")

    def __init__(self) -> None:
        self.told = self.next = 0


class EveryGate(Gate):
    """``EveryN``: opens once in a block of steps, or of calls as long as no step is told."""

    def __init__(self, tag: str, rule: EveryN, lock: Any = None) -> None:
        super().__init__(tag, lock)
        self._n = rule.n
        self._by_steps = rule.unit == "steps"
        self._step: int | None = None
        self._opened: int | None = None  # the step of this block in which lines passed
        self._room = BLOCK_LINES
        self.steps = StepWindow()

    @property
    def next_step(self) -> int:
        """The step at which the gate opens or closes next, if no line passes before."""
        if not self._by_steps or self._step is None:
            return NEVER
        if self._opened is not None and self.due != NEVER:
            return 0
        return (self._step // self._n + 1) * self._n

    def tell_step(self, step: int) -> None:
        """Open the gate in a new block of steps, close it after the first step that used it."""
        if not self._by_steps or step == self._step:
            return
        with self.lock:
            fresh = self._step is None or step // self._n != self._step // self._n
            self._step = step
            if fresh:
                self._opened, self._room, self.due = None, BLOCK_LINES, 0
            elif self._opened is not None:
                self.due = NEVER

    def _admit(self, number: int, _value: object) -> bool:
        if self._step is None:
            self.due = number + self._n if self._n > 1 else 0
            return True
        if self._opened is None:
            self.steps.next = 0  # the step after this one closes the gate
        self._opened = self._step
        self._room -= 1
        if self._room <= 0:
            self.due = NEVER
        return True


class ShareGate(Gate):
    """``Share``: by count, so that two runs of one seed log the same lines."""

    def __init__(self, tag: str, rule: Share, lock: Any = None) -> None:
        super().__init__(tag, lock)
        self._part, self._whole = rule.fraction.numerator, rule.fraction.denominator
        if not self._part:
            self.due = NEVER

    def _admit(self, number: int, _value: object) -> bool:
        if self._part == self._whole:
            return True
        if -(-(number + 1) * self._part // self._whole) <= self._admitted:
            return False
        # The next call m is the first with ⌈(m + 1) · share⌉ above what will then have passed.
        self.due = (self._admitted + 1) * self._whole // self._part
        return True


class ChangeGate(Gate):
    """``OnChange``: compares a line's value with the one before it of the same subject."""

    def __init__(self, tag: str, rule: OnChange, lock: Any = None) -> None:
        super().__init__(tag, lock)
        self._key = re.compile(rf"\b{rule.key}\b\W*(\w+)", re.IGNORECASE) if rule.key else None
        self._values: dict[str, str] = {}
        self._split = lru_cache(maxsize=256)(self._split_line)  # lines recur
        self._guarded: object = self  # a guard's value; no caller's value equals the gate

    def guard(self, admitted: Callable[[Gate], None], sink: Sink) -> Guard:
        """Return a guard that passes when its value differs from the one before."""
        del sink
        calls, gate = self.calls, self

        def guard(value: object = gate, /) -> bool:
            if value == gate._guarded:
                if value is gate:
                    raise UsageError(
                        f"The guard of {gate.tag!r} goes by change: call it with the value, guard(phase)."
                    )
                next(calls)
                return False
            return gate._pass_guard(next(calls), value, admitted)

        return guard

    def _pass_guard(self, _number: int, value: object, admitted: Callable[[Gate], None]) -> bool:
        if value is self:
            raise UsageError(
                f"The guard of {self.tag!r} goes by change: call it with the value, guard(phase)."
            )
        with self.lock:
            if value == self._guarded:  # another thread was faster
                return False
            self._guarded = value
            self._admitted += 1
        admitted(self)
        return True

    def _admit(self, _number: int, value: object) -> bool:
        subject, found = self._split(str(value))
        changed = self._values.get(subject) != found
        if changed:
            if subject not in self._values and len(self._values) >= _MAX_SUBJECTS:
                del self._values[next(iter(self._values))]
            self._values[subject] = found
        return changed

    def _split_line(self, text: str) -> tuple[str, str]:
        match = self._key.search(text) if self._key else None
        if match is None:
            return "", text
        return _DIGITS.sub("", text[: match.start()]).strip(), match[1]


class LastGate(Gate):
    """``LastOnly``: holds each line until the next one, or the flush."""

    def __init__(self, tag: str, lock: Any = None) -> None:
        super().__init__(tag, lock)
        self._value: object = self  # a guard's last value; no caller's value is the gate
        self._value_sink: Sink | None = None

    def guard(self, admitted: Callable[[Gate], None], sink: Sink) -> Guard:
        """Return a guard that never passes and keeps the value for the flush."""
        del admitted
        calls, gate = self.calls, self
        self._value_sink = sink

        def guard(value: object = gate, /) -> bool:
            if value is gate:
                raise UsageError(
                    f"The guard of {gate.tag!r} keeps the last value: call it with one, guard(digest)."
                )
            next(calls)
            gate._value = value
            return False

        return guard

    def take_held(self) -> Held | None:
        """Return the last line or the guard's last value, once."""
        held = super().take_held()
        value, self._value = self._value, self
        if value is self or self._value_sink is None:
            return held
        return (f"[{self.tag}] {value}", self._value_sink, None)

    def _admit(self, _number: int, _value: object) -> bool:
        return False


class RateGate(Gate):
    """``PerSecond``: a sliding window over the times at which lines passed."""

    def __init__(self, tag: str, rule: PerSecond, clock: Callable[[], float], lock: Any = None) -> None:
        super().__init__(tag, lock)
        self._clock = clock
        lines = max(1, math.floor(rule.r))
        self._window_s = max(1.0, 1 / rule.r)
        self._passed_at: deque[float] = deque(maxlen=lines)
        self._opens_at = -math.inf

    def guard(self, admitted: Callable[[Gate], None], sink: Sink) -> Guard:
        """Return a guard that reads the clock at every call."""
        del sink
        calls, clock, gate = self.calls, self._clock, self

        def guard(value: object = None, /) -> bool:
            number = next(calls)
            if clock() < gate._opens_at:
                return False
            return gate._pass_guard(number, value, admitted)

        return guard

    def _admit(self, _number: int, _value: object) -> bool:
        now = self._clock()
        if now < self._opens_at:
            return False
        self._passed_at.append(now)
        if len(self._passed_at) == self._passed_at.maxlen:
            self._opens_at = self._passed_at[0] + self._window_s
        return True


def make_gate(tag: str, rule: Rule | None, clock: Callable[[], float], lock: Any = None) -> Gate:
    """Return the gate that applies ``rule`` to ``tag``; without a rule it lets everything pass.

    Raises:
        UsageError: ``rule`` is not one of the rules.
    """
    match rule:
        case None:
            return Gate(tag, lock)
        case EveryN():
            return EveryGate(tag, rule, lock)
        case Share():
            return ShareGate(tag, rule, lock)
        case OnChange():
            return ChangeGate(tag, rule, lock)
        case LastOnly():
            return LastGate(tag, lock)
        case PerSecond():
            return RateGate(tag, rule, clock, lock)
    raise UsageError(f"{rule!r} is not a throttle rule; see parse_rule for the forms.")
