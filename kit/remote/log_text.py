"""The log of a kernel: a JSON array of ``{"stream_name", "time", "data"}``, made lines of.

A record ends where the notebook's process happened to write, not where a line ends: what each stream wrote is put
together again, and a line has the time (s since the session's begin) of the record in which it began.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kit.harness.progress_line import Progress, read_progress


@dataclass(frozen=True)
class LogLine:
    """One line: when it began, on which stream (stdout or stderr), and its text."""

    time_s: float
    stream: str
    text: str


def log_lines(log: str) -> list[LogLine]:
    """Return the lines of a log as Kaggle keeps it, by time; what is no such array is taken line by line."""
    try:
        records = json.loads(log)
    except (ValueError, RecursionError):
        records = None
    if not isinstance(records, list):
        return [LogLine(0.0, "stdout", line) for line in log.splitlines()]
    lines = [line for record in _by_stream(records).values() for line in _lines_of(record)]
    return sorted(lines, key=lambda line: line.time_s)


def _by_stream(records: list[Any]) -> dict[str, list[Mapping[str, Any]]]:
    streams: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if isinstance(record, dict) and "data" in record:
            streams.setdefault(str(record.get("stream_name", "stdout")), []).append(record)
    return streams


def _lines_of(records: list[Mapping[str, Any]]) -> Iterator[LogLine]:
    text, began = "", 0.0
    for record in records:
        time_s, stream = _seconds(record.get("time")), str(record.get("stream_name", "stdout"))
        for part in str(record["data"]).splitlines(keepends=True):
            began = began if text else time_s
            text += part
            if text.endswith(("\n", "\r")):
                yield LogLine(began, stream, text.rstrip("\r\n"))
                text = ""
    if text:
        yield LogLine(began, str(records[-1].get("stream_name", "stdout")), text)


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def readable(log: str) -> str:
    """Return a log as text, each line with its time."""
    return "".join(f"{line.time_s:10.1f}s  {line.text}\n" for line in log_lines(log))


def last_progress(log: str) -> Progress | None:
    """Return what the log says last of the run's progress."""
    for line in reversed(log_lines(log)):
        found = read_progress(line.text)
        if found is not None:
            return found
    return None
