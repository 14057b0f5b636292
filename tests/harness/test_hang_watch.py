"""HangWatch: a hang is a silence longer than anything normal, reported once."""

import pytest

from kit.harness.hang_watch import HangWatch
from kit.harness.heartbeat import Beat


def beat(step: int, *, writing: bool = False) -> Beat:
    """A beat of a run at that step."""
    return Beat(step, 1_000, 0.0, 0.0, 0.0, "rollout", under_way=True, writing=writing)


def silences(watch: HangWatch, step: int, seconds: int, since: int = 0) -> list[str]:
    """Let the run stand at ``step`` for that long, looked at each second; return what was noticed."""
    events = [watch.observe(beat(step), float(since + at)) for at in range(seconds + 1)]
    return [event for event in events if event]


def test_a_silence_is_reported_once_and_its_end_is_said():
    """At the limit and not before, one report, and one when the run goes on."""
    watch = HangWatch(60.0)
    assert silences(watch, 5, 59) == []
    assert watch.observe(beat(5), 60.0) == "hangs"
    assert silences(watch, 5, 100, since=61) == []
    assert watch.observe(beat(6), 200.0) == "goes on"
    assert watch.observe(beat(7), 201.0) is None


def test_ten_times_the_longest_silence_so_far_is_normal():
    """A run whose rollouts take 30 s hangs after 300 s, whatever the smaller limit says."""
    watch = HangWatch(60.0)
    assert silences(watch, 1, 30) == []
    assert silences(watch, 2, 299, since=31) == []
    assert watch.limit_s == 300.0
    assert silences(watch, 2, 5, since=331) == ["hangs"]


def test_a_background_write_is_no_sign_of_life():
    """A checkpoint's writer that goes on while training stands still does not hide the hang."""
    watch = HangWatch(10.0)
    events = [watch.observe(beat(1, writing=bool(at % 2)), float(at)) for at in range(12)]
    assert events.count("hangs") == 1


def test_a_machine_that_was_frozen_is_no_hang():
    """Between two looks an hour apart only seconds are counted: nobody could have moved."""
    watch = HangWatch(60.0)
    watch.observe(beat(1), 0.0)
    assert watch.observe(beat(1), 3_600.0) is None
    assert watch.silent_s == pytest.approx(5.0)


def test_without_a_heartbeat_there_is_nothing_to_say():
    """A session that has not begun does not hang."""
    watch = HangWatch(1.0)
    assert [watch.observe(None, float(at)) for at in range(100)] == [None] * 100
