"""Log throttling: a run that prints 38 lines a step is slowed by its own log, and loses its notebook to it.

    throttle = LogThrottle()                      # the policy of the incident, or rules of your own
    with throttle.install():                      # handlers and the standard streams
        noisy = throttle.guard("REWARD_MICROSCOPE")
        for step in range(24_000):
            throttle.step(step)
            if noisy():                           # on hot paths: a suppressed call costs tens of nanoseconds
                logger.info("[REWARD_MICROSCOPE] step=%d ...", step)

Nothing is dropped silently: every line is counted, and the flush at the end gives each tag's last suppressed
line and a summary. Throttling goes by counts, steps and values, draws no random numbers, and so changes no
result; only ``PerSecond`` goes by time.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from kit.harness.throttle_gate import Counts, Gate, Guard
from kit.harness.throttle_rules import INCIDENT_POLICY, Rule
from kit.harness.throttle_stream import ThrottledStream
from kit.harness.throttle_table import GateTable, size_of

logger = logging.getLogger(__name__)


class ThrottleFilter(logging.Filter):
    """Judges log records by tag: ``extra={"tag": ...}``, or what the message begins with.

    A record is judged once however many handlers carry the filter. Errors always pass, and so does a record
    whose message cannot be formatted: its handler reports that.
    """

    def __init__(self, table: GateTable) -> None:
        super().__init__()
        self._table = table
        self._verdict = f"_throttle_{id(self):x}"

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether ``record`` passes."""
        verdict: bool | None = record.__dict__.get(self._verdict)
        if verdict is None:
            verdict = record.__dict__[self._verdict] = self._judge(record)
        return verdict

    def _judge(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return True
        gate = self._gate_of(record, text)
        if record.levelno >= logging.ERROR:
            gate.count(True, size_of(text))
            return True
        # What identifies the record, not the record: its arguments may be tensors, and would live on.
        origin = (
            record.name,
            record.levelno,
            record.pathname,
            record.lineno,
            record.funcName,
            record.created,
        )
        return self._table.judge(gate, text, emit_record, origin)

    def _gate_of(self, record: logging.LogRecord, text: str) -> Gate:
        tag = record.__dict__.get("tag")
        if isinstance(tag, str):
            return self._table.get(tag) or self._table.untagged
        return self._table.find(text)


def emit_record(text: str, origin: tuple[str, int, str, int, str | None, float]) -> None:
    """Log a record that was held back again, with its own logger, level, place and time."""
    name, level, path, line, function, created = origin
    record = logging.LogRecord(name, level, path, line, text, None, None, function)
    record.created, record.msecs = created, (created % 1) * 1000
    logging.getLogger(name).handle(record)


class LogThrottle:
    """Throttles log records, hot paths and printed lines by tag, and counts what it drops.

    Args:
        rules: the rule of each tag, an object or words (``"every 100 steps"``); None for INCIDENT_POLICY.
        default: the rule for all lines that no other rule covers, taken together; None lets them pass.
        clock: seconds, monotonic; read by ``PerSecond`` alone.

    Raises:
        UsageError: a rule or a tag cannot be used, or two spellings of one tag have a rule.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule | str] | None = None,
        *,
        default: Rule | str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = GateTable(INCIDENT_POLICY if rules is None else rules, default, clock)
        self._filter = ThrottleFilter(self._table)
        self._handlers: list[logging.Handler] = []
        self._streams: dict[str, ThrottledStream] = {}
        self._logger: logging.Logger | None = None
        self._known: list[logging.Handler] = []
        self.steps = self._table.steps
        self._step: int | None = None
        self._steps = 0
        self._reported = 0
        _live.add(self)

    def guard(self, tag: str, rule: Rule | str | None = None) -> Guard:
        """Return a callable for hot paths, to ask before logging: ``if noisy(): logger.info(...)``.

        The up to ten lines of the tag that the thread logs after the guard passed are not judged again. For
        ``OnChange`` and ``LastOnly`` call it with the value: ``guard(phase)``.

        Raises:
            UnknownNameError: the tag has no rule, and ``rule`` gives none.
            UsageError: the tag has another rule.
        """
        return self._table.guard(self._table.require(tag, rule), self._say)

    def filter(self) -> logging.Filter:
        """Return the filter to add to a handler or a logger."""
        return self._filter

    def stream(self, stream: Any) -> ThrottledStream:
        """Return ``stream``, a text stream, wrapped."""
        return ThrottledStream(stream, self._table)

    def attach(self, handler: logging.Handler) -> logging.Handler:
        """Throttle what ``handler`` gets, until ``uninstall``; return it.

        If the handler writes to a stream that this throttle wraps, it writes past the wrapper from now on: a
        line must not be judged twice.
        """
        if self._filter not in handler.filters:
            handler.addFilter(self._filter)
            self._handlers.append(handler)
        stream = getattr(handler, "stream", None)
        if isinstance(stream, ThrottledStream) and stream in self._streams.values():
            handler.setStream(stream.inner)  # type: ignore[attr-defined]  # only a StreamHandler has one of ours
        return handler

    def install(self, logger: logging.Logger | None = None, streams: bool = True) -> LogThrottle:
        """Attach to the handlers of ``logger`` (default: root) and of those below it, and wrap the streams.

        Handlers that ``logger`` gets later are attached at the next ``step``. Calling it again attaches what
        is new. Use it as a context manager, or call ``uninstall``.
        """
        self._logger = logger or logging.getLogger()
        if streams:
            for name in ("stdout", "stderr"):
                if name not in self._streams and getattr(sys, name) is not None:
                    self._streams[name] = self.stream(getattr(sys, name))
                    setattr(sys, name, self._streams[name])
        self._attach_all(self._logger)
        return self

    def uninstall(self) -> None:
        """Flush, detach from all handlers and put the streams back."""
        for stream in self._streams.values():
            stream.release()
        self.flush()
        for name, stream in self._streams.items():
            if (
                getattr(sys, name) is stream
            ):  # else somebody redirected it, and will put ours back: it is released
                setattr(sys, name, stream.inner)
        for handler in self._handlers:
            handler.removeFilter(self._filter)
        self._streams, self._handlers, self._logger, self._known = {}, [], None, []

    def __enter__(self) -> LogThrottle:
        return self if self._logger else self.install()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uninstall()

    def step(self, step: int) -> None:
        """Tell the current environment step: what the rules by steps go by, and the base of lines a step.

        On a hot path it is enough to tell a step, once and before its lines, that is ``steps.next`` or more, or less
        than the one before; then ``lines_per_step`` counts the steps up to the last one told.
        """
        if step == self._step:
            return
        self._steps += step - self._step if self._step is not None and step > self._step else 1
        self._step = step
        if not self.steps.told <= step < self.steps.next:
            self._table.tell_step(step)
        if self._logger and self._logger.handlers != self._known:
            self._attach_all(self._logger)

    def counts(self) -> dict[str, Counts]:
        """Return lines and bytes passed and dropped, of every tag with a rule and of ``(untagged)`` lines."""
        return self._table.counts()

    def lines_per_step(self, *, asked: bool = False) -> float | None:
        """Return lines passed (``asked``: that asked to) per environment step; None before the first."""
        if not self._steps:
            return None
        counts = self.counts().values()
        return sum(count.seen if asked else count.passed for count in counts) / self._steps

    def flush(self) -> str:
        """Emit each tag's last line if it was suppressed, and a line on what was dropped; return that line.

        The summary is empty, and not emitted, if nothing was dropped since the flush before. It goes to this
        module's logger, or to the wrapped stream where no handler would take it.
        """
        flushing, thread = self._table.flushing, threading.get_ident()
        flushing.add(thread)
        try:
            for text, sink, origin in self._table.take_held():
                sink(text, origin)
            summary = self._summary()
            if summary:
                self._say(summary)
        finally:
            flushing.discard(thread)
        return summary

    def _summary(self) -> str:
        counts = self.counts()
        dropped = sum(count.dropped for count in counts.values())
        if dropped == self._reported:
            return ""
        self._reported = dropped
        seen = sum(count.seen for count in counts.values())
        size = sum(count.bytes_dropped for count in counts.values())
        parts = [
            f"{tag} {count.dropped:,} of {count.seen:,}" for tag, count in counts.items() if count.dropped
        ]
        return f"[THROTTLE] dropped {dropped:,} of {seen:,} lines ({size:,} bytes): {', '.join(parts)}"

    def _say(self, text: str, origin: Any = None) -> None:
        del origin
        if self._streams and not (logger.isEnabledFor(logging.INFO) and logger.hasHandlers()):
            next(iter(self._streams.values())).emit(text)
        else:
            logger.info("%s", text)

    def _attach_all(self, top: logging.Logger) -> None:
        prefix = "" if top is logging.getLogger() else top.name + "."
        below = [item for name, item in top.manager.loggerDict.items() if name.startswith(prefix)]
        for item in [top, *below]:
            for handler in list(getattr(item, "handlers", ())):  # a placeholder has none
                self.attach(handler)
        self._known = list(top.handlers)


_live: weakref.WeakSet[LogThrottle] = weakref.WeakSet()
_forking: list[Any] = []


def _before_fork() -> None:
    """Hold every throttle's lock over a fork: a child must not inherit one that no thread will release."""
    for throttle in list(_live):
        throttle._table.lock.acquire()
        _forking.append(throttle._table.lock)


def _after_fork() -> None:
    while _forking:
        _forking.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
