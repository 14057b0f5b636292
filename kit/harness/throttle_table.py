"""The gate table: finds the tag of a line, and with it the gate that judges the line."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Mapping
from threading import get_ident
from typing import Any

from kit.errors import UnknownNameError, UsageError
from kit.harness.throttle_gate import BLOCK_LINES, NEVER, Counts, Gate, Guard, Held, Sink
from kit.harness.throttle_gates import EveryGate, StepWindow, make_gate
from kit.harness.throttle_rules import Rule, canonical_tag, parse_rule

UNTAGGED = "(untagged)"
_LONGEST_TAG = 40
_MAX_SPELLINGS = 4096


class GateTable:
    """The gates of a throttle, by tag.

    A line belongs to a tag if it begins with ``[TAG]``, or with the bare tag and a colon or an equals sign
    (``State hash: 9f2c``). All other lines, and all tags without a rule, are untagged.
    """

    def __init__(
        self, rules: Mapping[str, Rule | str], default: Rule | str | None, clock: Callable[[], float]
    ) -> None:
        self.lock = threading.RLock()
        self.flushing: set[int] = set()  # threads that write what was held back
        self._admitted: dict[
            tuple[int, Gate], int
        ] = {}  # by thread: lines left of a block that a guard let pass
        self._clock = clock
        self._rules: dict[str, Rule] = {}
        self._gates: dict[str, Gate] = {}
        self._by_spelling: dict[str, Gate] = {}
        self._initials: frozenset[str] = frozenset()  # of bare tags, to pass over most lines quickly
        self._stepped: tuple[EveryGate, ...] = ()
        self.steps = StepWindow()
        self.untagged = self._make(UNTAGGED, default)
        for tag, rule in rules.items():
            self.add(tag, rule)

    def add(self, tag: str, rule: Rule | str) -> Gate:
        """Return a new gate that applies ``rule`` to ``tag``.

        Raises:
            UsageError: the tag is empty, too long, or has a rule in this or another spelling.
        """
        name = canonical_tag(tag)
        if not name or len(tag) > _LONGEST_TAG or re.search(r"[\[\]\n\r]", tag):
            raise UsageError(
                f"A tag has 1 to {_LONGEST_TAG} characters, none a bracket or a line end, not {tag!r}."
            )
        with self.lock:
            if name in self._gates:
                raise UsageError(f"The tag {tag!r} has a rule already, as {self._gates[name].tag!r}.")
            gate = self._gates[name] = self._make(tag, rule)
            self._rules[name] = parse_rule(rule) if isinstance(rule, str) else rule
            self._by_spelling = {}
            self._initials = frozenset("".join(known[0] + known[0].upper() for known in self._gates))
        return gate

    def get(self, tag: str) -> Gate | None:
        """Return the gate of ``tag`` in any spelling, or None."""
        return self._gates.get(canonical_tag(tag))

    def require(self, tag: str, rule: Rule | str | None) -> Gate:
        """Return the gate of ``tag``, made with ``rule`` if there is none.

        Raises:
            UnknownNameError: no rule is known for ``tag`` and none is given.
            UsageError: ``rule`` differs from the one that ``tag`` has.
        """
        gate = self.get(tag)
        if gate is None:
            if rule is None:
                raise UnknownNameError("throttle tag", tag, [gate.tag for gate in self._gates.values()])
            return self.add(tag, rule)
        known = self._rules[canonical_tag(tag)]
        asked = parse_rule(rule) if isinstance(rule, str) else rule
        if asked is not None and asked != known:
            raise UsageError(f"The tag {tag!r} has the rule {str(known)!r} already, not {str(asked)!r}.")
        return gate

    def find(self, text: str) -> Gate:
        """Return the gate of the line ``text``, by the tag that it begins with."""
        start = text.lstrip()
        first = start[:1]
        if first == "[":
            end = start.find("]", 1, _LONGEST_TAG + 2)
            spelling = start[1:end]
        elif first in self._initials:
            end = start.find(":", 0, _LONGEST_TAG + 1)
            equals = start.find("=", 0, end if end >= 0 else _LONGEST_TAG + 1)
            end = equals if equals >= 0 else end
            spelling = start[:end]
        else:
            return self.untagged
        if end < 0:
            return self.untagged
        gate = self._by_spelling.get(spelling)
        if gate is None:
            gate = self._gates.get(canonical_tag(spelling), self.untagged)
            if len(self._by_spelling) < _MAX_SPELLINGS:  # ``[0.31]`` and the like are no tags and have no end
                self._by_spelling[spelling] = gate
        return gate

    def judge(self, gate: Gate, text: str, sink: Sink, origin: Any = None) -> bool:
        """Return whether the line ``text`` of ``gate`` passes; a guard that has just passed speaks for it."""
        if self.flushing and get_ident() in self.flushing:
            return True
        size = len(text) if text.isascii() else size_of(text)
        if self._admitted and (room := self._admitted.pop((get_ident(), gate), 0)):
            if room > 1:
                self._admitted[get_ident(), gate] = room - 1
            gate.count(True, size, lines=0 if room == BLOCK_LINES else 1)
            return True
        return gate.judge(text, size, sink, origin)

    def guard(self, gate: Gate, sink: Sink) -> Guard:
        """Return a guard; the lines that its caller logs when it passed are not judged a second time."""

        def admitted(gate: Gate) -> None:
            self._admitted[get_ident(), gate] = BLOCK_LINES

        return gate.guard(admitted, sink)

    def tell_step(self, step: int) -> None:
        """Tell the gates that go by environment steps the current one."""
        with self.lock:
            for gate in self._stepped:
                gate.tell_step(step)
            self.steps.told = step
            self.steps.next = min((gate.next_step for gate in self._stepped), default=NEVER)

    def counts(self) -> dict[str, Counts]:
        """Return the counts of every tag that has a rule, and of the untagged lines."""
        return {gate.tag: gate.counts() for gate in self._all()}

    def take_held(self) -> list[Held]:
        """Return, once, the last line of each tag whose last line was suppressed."""
        return [held for gate in self._all() if (held := gate.take_held())]

    def _make(self, tag: str, rule: Rule | str | None) -> Gate:
        gate = make_gate(tag, parse_rule(rule) if isinstance(rule, str) else rule, self._clock, self.lock)
        if isinstance(gate, EveryGate):
            gate.steps = self.steps
            self._stepped = (*self._stepped, gate)
            self.steps.next = 0
        return gate

    def _all(self) -> list[Gate]:
        with self.lock:
            return list(itertools.chain(self._gates.values(), [self.untagged]))


def size_of(text: str) -> int:
    """Return the bytes of ``text`` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
