import pytest

from kit.harness.clock import ManualClock
from kit.timing.phases import PhaseTimer
from kit.timing.sessions import summed, summed_nesting


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
    with pytest.raises(KeyError):
        summed_nesting([{"name": "rollout"}])


def nesting_of(*visits: tuple[str, str, float]) -> list[dict[str, float | str]]:
    """The nestings of a session in which each (inside, name) was visited once, for so many seconds."""
    clock = ManualClock()
    timer = PhaseTimer(clock, "setup")
    for inside, name, seconds in visits:
        with timer.phase(inside), timer.phase(name, 2):
            clock.advance(seconds)
    return [row for row in timer.nesting() if row["inside"] != "setup"]


def test_nestings_of_sessions_add_up_pair_by_pair():
    """The same phase inside two others is two rows; a pair that a later session has too is one."""
    first = nesting_of(("rollout", "export", 3.0), ("evaluate", "export", 1.0))
    second = nesting_of(("rollout", "export", 0.5), ("rollout", "checkpoint", 2.0))
    assert summed_nesting(first, second) == [
        {"name": "export", "inside": "rollout", "visits": 2, "count": 4, "total_s": 3.5},
        {"name": "export", "inside": "evaluate", "visits": 1, "count": 2, "total_s": 1.0},
        {"name": "checkpoint", "inside": "rollout", "visits": 1, "count": 2, "total_s": 2.0},
    ]
    assert summed_nesting([], first) == first
