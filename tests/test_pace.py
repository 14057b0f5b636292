"""The pace of a session: which boundaries are looked at, and which is the last."""

from pathlib import Path

from kit.harness.clock import ManualClock
from kit.harness.deadline import Deadline, Limits
from kit.harness.run_folder import RunFolder
from kit.harness.watchdog import request_stop
from kit.pace import Pace


def made_pace(
    tmp_path: Path, soft_s: float = 100.0, *, every_boundary: bool = False
) -> tuple[Pace, ManualClock]:
    """A pace with its soft deadline in that many seconds."""
    clock = ManualClock()
    deadline = Deadline(Limits(soft_s, soft_s + 10), clock.monotonic(), clock)
    return Pace(RunFolder(tmp_path), deadline, every_boundary=every_boundary), clock


def test_a_boundary_is_looked_at_four_times_a_second(tmp_path):
    """Between two looks it costs a comparison; where checkpoints go by steps each one is looked at."""
    pace, clock = made_pace(tmp_path)
    looked = []
    for _ in range(100):
        looked.append(pace.look_due())
        clock.advance(0.0625)
    assert sum(looked) == 25
    pace, _ = made_pace(tmp_path, every_boundary=True)
    assert all(pace.look_due() for _ in range(10))


def test_a_run_stops_at_the_last_boundary_before_the_soft_deadline(tmp_path):
    """With 8 s between boundaries the one 4 s before the deadline is the last; the first never is."""
    pace, clock = made_pace(tmp_path)
    pace.look_due()
    assert pace.stop_wish() is None
    for _ in range(11):
        clock.advance(8.0)
        assert pace.look_due()
        assert pace.stop_wish() is None
    clock.advance(8.0)
    pace.look_due()
    assert pace.stop_wish() == "soft_deadline"


def test_a_wish_comes_before_the_deadline(tmp_path):
    """A signal's name or a stop file ends a run at its next boundary."""
    pace, _ = made_pace(tmp_path)
    pace.look_due()
    request_stop(RunFolder(tmp_path), "a person")
    assert pace.stop_wish() == "a person"
    pace.wish = "SIGTERM"
    assert pace.stop_wish() == "SIGTERM"
