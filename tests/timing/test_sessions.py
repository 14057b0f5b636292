import pytest

from kit.harness.clock import ManualClock
from kit.timing.phases import PhaseTimer
from kit.timing.sessions import summed


def rows_of(phase: str, seconds: float, count: float) -> list[dict[str, float | str]]:
    """The rows of a session that was in setup for a second and in ``phase`` for so long."""
    clock = ManualClock()
    timer = PhaseTimer(clock, "setup")
    timer.add_count("setup", 1)
    clock.advance(1.0)
    with timer.phase(phase, count):
        clock.advance(seconds)
    return timer.rows()


def test_times_and_counts_of_sessions_add_up():
    """Each phase once, in the usual order, with its mean over all sessions."""
    rows = summed(rows_of("update", 6.0, 2), rows_of("rollout", 3.0, 3), rows_of("update", 2.0, 2))
    assert [row["name"] for row in rows] == ["setup", "rollout", "update"]
    assert [(row["count"], row["total_s"]) for row in rows] == [(3, 3.0), (3, 3.0), (4, 8.0)]
    assert rows[2]["mean_s"] == 2.0


def test_one_session_is_its_own_sum():
    """Nothing is lost or rounded on the way."""
    rows = rows_of("rollout", 0.1, 3)
    assert summed([], rows) == rows


def test_what_is_no_row_is_refused():
    """A file that someone edited is not added to silently."""
    with pytest.raises(KeyError):
        summed([{"name": "rollout"}])
