"""The outlook of a session: when it thinks that the run will end, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kit.timing.drift import Trace
from kit.timing.interval import SHARES, Intervals
from kit.timing.prediction import intervals_here, measured_beside
from kit.timing.reforecast import Reforecast

if TYPE_CHECKING:
    from kit.session import TrainingSession

EVERY_S = 1.0
"""How often the phases are read for it, seconds: a reading takes tens of microseconds."""


@dataclass(frozen=True)
class Note:
    """What was foretold at a share of the steps: ``remaining_s`` to come after ``elapsed_s`` since the launch."""

    share: float
    step: int
    elapsed_s: float
    remaining_s: float


class Outlook:
    """Forecasts the run again as it goes. It begins with the first boundary; before that it knows nothing.

    ``trace`` is what a quick test leaves for the drift of its phases.
    """

    def __init__(self, session: TrainingSession) -> None:
        self._session = session
        self._reforecast: Reforecast | None = None
        self._intervals: Intervals | None = None
        self._read_s = 0.0
        self.trace = Trace()
        self.notes: list[Note] = []

    def observe(self, step: int) -> None:
        """Take the phases as they stand, if it is time, and note what is foretold once a share is passed."""
        session = self._session
        now = session.clock.monotonic()
        if self._reforecast is None:
            self._begin()
        elif now - self._read_s < EVERY_S and not session.quick_test:
            return
        self._read_s = now
        rows = session.timer.rows()
        if session.quick_test:
            self.trace.note(rows)
        assert self._reforecast is not None
        self._reforecast.update(rows, session.keeper.earlier_phases)
        self._note(step)

    def _begin(self) -> None:
        session = self._session
        before = None if session.quick_test else measured_beside(session.folder, session.record_of_run.config)
        self._reforecast, self._intervals = Reforecast(before), intervals_here()
        session.scaler.remaining = self.remaining_s

    def _note(self, step: int) -> None:
        share, noted = step / self._session.total_timesteps, len(self.notes)
        passed = [one for one in SHARES if one <= share]
        if len(passed) <= noted:
            return
        remaining_s = self.remaining_s(step, self._session.total_timesteps)
        if remaining_s is not None and share < 1:
            late = [Note(one, step, self._session.elapsed_s(), remaining_s) for one in passed[noted:]]
            self.notes += late

    def remaining_s(self, step: int, total: int) -> float | None:
        """Return the seconds from ``step`` to the end of the command that does ``total``; None while unknown."""
        if self._reforecast is None:
            return None
        return self._reforecast.remaining_s(self._session.planner.plan, step, total)

    def factor(self, step: int, total: int) -> float:
        """Return the factor of the interval around the seconds still to come; 0 while nothing is known."""
        return self._intervals.ahead(step / total).factor if self._intervals and total else 0.0

    def as_json(self) -> list[Mapping[str, Any]]:
        """Return the notes as plain values, for timing.json."""
        return [asdict(note) for note in self.notes]

    def still_to_do(self, step: int, total: int) -> dict[str, float] | None:
        """Return ``{predicted_s, low_s, high_s}`` of what a run that stops here has to come; None while unknown.

        The next session's own beginning is not in it.
        """
        remaining_s = self.remaining_s(step, total)
        if remaining_s is None or self._intervals is None:
            return None
        low_s, high_s = self._intervals.ahead(step / total).around(remaining_s)
        return {"predicted_s": remaining_s, "low_s": low_s, "high_s": high_s}
