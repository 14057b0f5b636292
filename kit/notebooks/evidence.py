"""What really happened in a run, as the kernel answered it: one JSON line for each event, as it comes.

papermill's own metadata marks cells that never ran as completed, so nothing here is taken from it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.harness.clock import SYSTEM_CLOCK

KERNEL = "kernel"  # the kernel's process: pid, created (s since the epoch)
CELL_STARTED = "cell_started"  # cell
CELL_FINISHED = "cell_finished"  # cell, reply (ok, error, aborted), error_name, error_value, traceback
KERNEL_DIED = "kernel_died"  # exit_code, negative for a signal, None where unknown
UNSAVED = "unsaved"  # error_value: the executed notebook could not be written
ENDED = "ended"  # the runner came to its own end


@dataclass(frozen=True)
class Evidence:
    """The events of one run, in a file. ``cell`` counts cells of the source; None is papermill's own."""

    path: Path

    def record(self, event: str, **details: Any) -> None:
        """Append one event with the monotonic time in seconds; in a single write, so no kill tears a line."""
        line = json.dumps({"event": event, "monotonic_s": SYSTEM_CLOCK.monotonic(), **details}) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def events(self) -> list[dict[str, Any]]:
        """Return every event that was recorded in full, in order."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[:-1]]
