"""A throttled text stream: judges what third-party code prints, line by line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from threading import get_ident
from typing import Any

from kit.harness.throttle_gate import Gate
from kit.harness.throttle_table import GateTable, size_of

# A segment is a line with its end, or the text up to a carriage return that redraws it.
_SEGMENT = re.compile(r"\r?[^\r\n]*\r?\n|\r?[^\r\n]+|\r")
_CONTINUATION = re.compile(r"[ \t]+[^\w\s]")  # an indent, then a mark: ``  └─ inflow``, ``  | QUEUE``
_LONGEST_PARTIAL = 8192


class _Line:
    """What one thread has written since its last line end."""

    __slots__ = ("caller", "gate", "passes", "text", "underway")

    def __init__(self, gate: Gate) -> None:
        self.text = ""  # not judged yet
        self.underway = False  # the start of this line has been judged, and the rest goes the same way
        self.gate = gate  # of the last judged line, which indented lines belong to
        self.passes = True
        self.caller = (0, 0)  # the frame and the instruction that wrote last


class ThrottledStream:
    """Wraps a text stream; everything but writing, flushing and closing is the wrapped stream's own.

    Lines are put together for each thread, so that threads do not tear each other's, and judged at their end;
    ``flush`` judges what has no end yet, and the rest of that line then goes the same way. A carriage return
    starts a line anew: each state of a progress bar is a line. An untagged line that follows a tagged one and
    begins with an indent and a mark (``  └─ inflow 0.3``) belongs to it. Native code that writes to the file
    descriptor is not seen.

    A notebook's stream sends what it got five times a second, and its ``flush`` waits for another thread to
    send it at once, which takes longer than all else about a line. There the flush that ``print(...,
    flush=True)`` adds to a whole line is left to the stream; any other flush is obeyed.
    """

    def __init__(self, inner: Any, table: GateTable) -> None:
        self.inner = inner
        self._table = table
        self._lines: dict[int, _Line] = {}
        self._flushes_itself = hasattr(inner, "flush_interval")  # ipykernel's does
        self._dirty = True
        self._released = False

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # not there yet, in a copy that is being made
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __repr__(self) -> str:
        return f"<ThrottledStream of {self.inner!r}>"

    def write(self, text: str) -> int:
        """Judge the lines that ``text`` completes and write those that pass; return ``len(text)``.

        Raises:
            TypeError: ``text`` is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._released:
            self.inner.write(text)
            return len(text)
        line = self._lines.get(get_ident()) or self._new_line()
        if self._flushes_itself and text[-1:] == "\n":
            line.caller = _caller()
        if "\r" in text or "\r" in line.text:
            self._write_redrawn(line, line.text + text)
        elif text == "\n":  # as print ends a line
            whole, line.text = line.text + text, ""
            self._settle(line, whole, ends=True)
        elif (end := text.rfind("\n")) < 0:
            line.text += text
            if len(line.text) > _LONGEST_PARTIAL:
                self._settle_partial(line)
        else:
            whole, line.text = line.text + text[: end + 1], text[end + 1 :]
            for segment in [whole] if whole.count("\n") == 1 else _SEGMENT.findall(whole):
                self._settle(line, segment, ends=True)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of ``lines``."""
        for text in lines:
            self.write(text)

    def flush(self) -> None:
        """Judge this thread's unfinished line, and flush the wrapped stream if anything was written to it."""
        line = self._lines.get(get_ident())
        if line and line.text:
            self._settle_partial(line)
        elif line and self._flushes_itself and line.caller == _caller():
            return
        if self._dirty or self._released:
            self._dirty = False
            self.inner.flush()

    def close(self) -> None:
        """Release what is held and close the wrapped stream."""
        self.release()
        self.inner.close()

    def release(self) -> None:
        """Judge the unfinished lines of all threads; from now on let everything pass, uncounted."""
        for line in list(self._lines.values()):
            self._settle_partial(line)
        self._released = True

    def resume(self) -> None:
        """Judge again, after a release."""
        self._released = False

    def emit(self, text: str, origin: Any = None) -> None:
        """Write a line that was held back, past the throttle."""
        del origin
        self._dirty = True
        self.inner.write(text.lstrip("\r").rstrip("\r\n") + "\n")

    def _new_line(self) -> _Line:
        line = self._lines[get_ident()] = _Line(self._table.untagged)
        return line

    def _write_redrawn(self, line: _Line, text: str) -> None:
        segments: list[str] = _SEGMENT.findall(text)
        kept = 0
        if not text.endswith("\n"):
            # After a final carriage return a line feed may follow, and belong to the segment before.
            kept = 2 if segments[-1] == "\r" and len(segments) > 1 and not segments[-2].endswith("\n") else 1
        cut = len(segments) - kept
        line.text = "".join(segments[cut:])
        for segment in segments[:cut]:
            self._settle(line, segment, ends=True)

    def _settle_partial(self, line: _Line) -> None:
        text, line.text = line.text, ""
        segments: list[str] = _SEGMENT.findall(text)
        for number, segment in enumerate(segments, 1):
            self._settle(line, segment, ends=number < len(segments))

    def _settle(self, line: _Line, segment: str, *, ends: bool) -> None:
        gate = self._table.find(segment)
        if line.underway and (segment[0] != "\r" or segment.strip("\r\n") == ""):
            self._follow(line, segment, lines=0)
        elif gate is self._table.untagged and line.gate is not gate and _CONTINUATION.match(segment):
            self._follow(line, segment, lines=1)
        else:
            line.gate, line.passes = gate, self._table.judge(gate, segment, self.emit)
        line.underway = not ends
        if line.passes:
            self._dirty = True
            self.inner.write(segment)

    def _follow(self, line: _Line, segment: str, lines: int) -> None:
        line.gate.count(line.passes, size_of(segment), lines)
        if not line.passes:
            line.gate.extend_held(segment, self.emit)


def _caller() -> tuple[int, int]:
    """Identify the call two levels up: ``print`` has no frame, so its writes and its flush share one."""
    frame = sys._getframe(2)
    return id(frame), frame.f_lasti
