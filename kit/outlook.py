"""The outlook of a session: when it thinks that the run will end, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kit.harness.contention import Contention
from kit.timing.drift import Trace
from kit.timing.interval import SHARES, Intervals
from kit.timing.prediction import intervals_here
from kit.timing.reforecast import Reforecast

if TYPE_CHECKING:
    from kit.session import TrainingSession

EVERY_S = 1.0
"""How often the phases are read for it, seconds: a reading and what follows take some hundred microseconds."""
QUICK_EVERY_S = 0.1
"""How often in a quick test, whose readings tell drift from scatter."""


@dataclass(frozen=True)
class Note:
    """What was foretold past a share of the steps: ``remaining_s`` to come after ``elapsed_s`` since the launch."""

    share: float
    step: int
    elapsed_s: float
    remaining_s: float


class Outlook:
    """Forecasts the run again as it goes. It begins with the first boundary; before that it knows nothing.

    Attributes:
        end_s: when the run is expected to end, absolute monotonic seconds; 0 while unknown.
        factor: the factor of the interval around the time that is left; 0 where no history says it.
        trace: what a quick test leaves for the drift of its phases.
    """

    def __init__(self, session: TrainingSession) -> None:
        self._session = session
        self._reforecast: Reforecast | None = None
        self._intervals: Intervals | None = None
        self._read_s = 0.0
        self.end_s = self.factor = 0.0
        self.trace = Trace()
        self._contention = Contention(session.clock.monotonic())
        self.notes: list[Note] = []

    def observe(self, step: int) -> None:
        """Take the phases as they stand, if it is time, and note what is foretold once a share is passed."""
        session = self._session
        now = session.clock.monotonic()
        if self._reforecast is None:
            self._begin()
        elif now - self._read_s < (QUICK_EVERY_S if session.quick_test else EVERY_S):
            return
        self._read_s = now
        self._read(step)

    def look_again(self) -> None:
        """Take the phases as they stand between boundaries, as after a test; nothing before the first boundary."""
        if self._reforecast is not None:
            self.observe(self._session.step)

    def _begin(self) -> None:
        session = self._session
        before = None if session.quick_test else session.record_of_run.quick_test_measured()
        self._reforecast, self._intervals = Reforecast(before), intervals_here()
        session.scaler.remaining = self.remaining_s

    def _read(self, step: int) -> None:
        session, reforecast = self._session, self._reforecast
        assert reforecast is not None
        rows = session.timer.rows()
        if session.quick_test:
            self.trace.note(rows)
        reforecast.update(rows, session.keeper.earlier_phases)
        total = session.total_timesteps
        left_s = self.remaining_s(step, total)
        self._note(step, left_s)
        if left_s is None:
            pace = session.scaler.step_s
            left_s = None if pace is None else max(0, total - step) * pace
        self.end_s = session.clock.monotonic() + left_s if left_s is not None else 0.0
        known = reforecast.before is not None and self._intervals is not None
        self.factor = self._intervals.ahead(step / total).factor if known and self._intervals else 0.0

    def _note(self, step: int, left_s: float | None) -> None:
        """Note it once for the last share that is passed: those passed unseen since the reading before have none."""
        share = step / self._session.total_timesteps
        passed = [one for one in SHARES if one <= share]
        if left_s is None or not passed or share >= 1 or any(note.share >= passed[-1] for note in self.notes):
            return
        self.notes.append(Note(passed[-1], step, self._session.elapsed_s(), left_s))

    def remaining_s(self, step: int, total: int) -> float | None:
        """Return the seconds from ``step`` to the end of the command that does ``total``; None while unknown.

        Without a quick test what follows training is what the run's own forecast once said, if it had one.
        """
        if self._reforecast is None:
            return None
        left_s = self._reforecast.remaining_s(self._session.planner.plan, step, total)
        after_s = self._session.scaler.reserve_s if self._reforecast.before is None else 0.0
        return None if left_s is None else left_s + after_s

    def busy_share(self) -> float:
        """Return the share of this session in which something on the machine waited for a core."""
        return self._contention.share(self._session.clock.monotonic())

    def as_json(self) -> list[Mapping[str, Any]]:
        """Return the notes as plain values, for timing.json."""
        return [asdict(note) for note in self.notes]

    def still_to_do(self, step: int, total: int) -> dict[str, float | None] | None:
        """Return ``{predicted_s, low_s, high_s}`` of what a run that stops here has to come; None while unknown.

        The next session's own beginning is not in it. Without a quick test there is no interval: both ends are None.
        """
        left_s = self.remaining_s(step, total)
        if left_s is None:
            return None
        low_s, high_s = (left_s / self.factor, left_s * self.factor) if self.factor else (None, None)
        return {"predicted_s": left_s, "low_s": low_s, "high_s": high_s}
