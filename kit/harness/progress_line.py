"""ProgressLine: says now and then in one line how far a run is, for a log that is read from afar.

``kit: step 12,000 of 24,000 (50%), rollout, 1h20m left``. A machine that nobody sits at shows no bar; its log is all
there is, and the command line reads this line back from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TextIO

from kit.harness.deadline import format_duration

EVERY_S = 30.0
BEGINS = "kit: step "
_LINE = re.compile(
    rf"{BEGINS}(?P<step>[0-9,]+) of (?P<total>[0-9,]+) \([0-9]+%\), (?P<phase>[^,\n]+)(?:, (?P<left>\S+) left)?"
)


@dataclass(frozen=True)
class Progress:
    """One such line, read back; ``left`` is empty where the run did not know yet."""

    step: int
    total: int
    phase: str
    left: str = ""


class ProgressLine:
    """Writes to ``stream`` at most every ``every_s`` seconds, and whenever it is told ``now``."""

    def __init__(self, stream: TextIO, every_s: float = EVERY_S) -> None:
        self._stream, self._every_s = stream, every_s
        self._last_s: float | None = None

    def tell(
        self,
        step: int,
        total: int,
        phase: str,
        now_s: float,
        left_s: float | None = None,
        *,
        now: bool = False,
    ) -> None:
        """Say where the run stands at ``now_s`` (monotonic seconds); ``left_s`` None where that is unknown."""
        if not now and self._last_s is not None and now_s - self._last_s < self._every_s:
            return
        self._last_s = now_s
        left = f", {format_duration(max(0, round(left_s)))} left" if left_s is not None else ""
        share = 100 * step // max(1, total)
        self._stream.write(f"kit: step {step:,} of {total:,} ({share}%), {phase}{left}\n")
        self._stream.flush()


def read_progress(line: str) -> Progress | None:
    """Return what a line of a log says of the run's progress, None where it is another line."""
    found = _LINE.search(line)
    if found is None:
        return None
    step, total = (int(found[name].replace(",", "")) for name in ("step", "total"))
    return Progress(step, total, found["phase"].strip(), found["left"] or "")
