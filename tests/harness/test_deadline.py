"""Durations, limits, and how much of a session is left."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.harness.clock import ManualClock
from kit.harness.deadline import (
    DEFAULT_HARD_S,
    DEFAULT_SOFT_S,
    Deadline,
    Limits,
    format_duration,
    parse_duration,
)

HOUR = 3600.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20", 20),
        ("20s", 20),
        ("1.5", 1.5),
        (".5h", 1800),
        ("10.5h", 37_800),
        ("11h50m", 42_600),
        ("1h30m10s", 5_410),
        ("90m", 5_400),
        ("1H 30M", 5_400),
        (" 12h ", 43_200),
        (20, 20),
        (0.25, 0.25),
        ("0", 0),
    ],
)
def test_durations_read_as_people_write_them(text, seconds):
    """Every documented form gives its seconds; a bare number is seconds."""
    assert parse_duration(text) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    ["", " ", "h", "ten", "1h30", "10m5h", "-5s", "1,5h", "1e3", "nan", "inf", "1d", "1 2", "٣h", "9" * 400],
)
def test_what_is_no_duration_is_refused_by_name(text):
    """Anything else raises, and the message holds the value and the legal forms."""
    with pytest.raises(UsageError, match="Not a duration") as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)
    assert "11h50m" in str(caught.value)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), True])
def test_numbers_that_are_no_duration_are_refused(value):
    """A number is a duration only where it is finite, not negative, and not a truth value."""
    with pytest.raises(UsageError):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "meant"), [("10.5 hours", "10.5h"), ("90min", "90m"), ("1 hour 30 min", "1h30m")]
)
def test_near_misses_get_a_suggestion(text, meant):
    """Units written out are refused with the form that was probably meant, which itself is legal."""
    with pytest.raises(UsageError) as caught:
        parse_duration(text)
    assert caught.value.nearest == meant
    parse_duration(meant)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**7))
def test_whole_seconds_survive_writing_and_reading(seconds):
    """format_duration and parse_duration are inverse on whole seconds."""
    assert parse_duration(format_duration(seconds)) == seconds


@settings(deadline=None)
@given(st.floats(min_value=0, max_value=1e7))
def test_written_durations_can_always_be_read(seconds):
    """Any duration reads back as written, to half a second (half a millisecond below a minute)."""
    tolerance = 0.0006 if seconds < 60 else 0.51
    assert abs(parse_duration(format_duration(seconds)) - seconds) <= tolerance


def test_durations_are_written_short():
    """Parts that are zero are left out, and the seed's full run reads 3h21m35s."""
    written = [format_duration(s) for s in (0, 0.25, 20, 59.9996, 90, 5_410, 12_095, 42_600, -90)]
    assert written == ["0s", "0.25s", "20s", "1m", "1m30s", "1h30m10s", "3h21m35s", "11h50m", "-1m30s"]


def test_default_limits_are_those_of_a_twelve_hour_session():
    """Without anything given, soft is 10.5 h and hard 11 h 50 m, to the second."""
    assert Limits.resolve() == Limits(10.5 * HOUR, 42_600.0, None)


def test_a_session_limit_sets_both_deadlines():
    """A session limit L means soft 0.875 L and hard 0.986 L."""
    limits = Limits.resolve(session="20s")
    assert limits.soft_s == 17.5
    assert limits.hard_s == pytest.approx(0.986 * 20, rel=2e-4)
    assert limits.session_s == 20
    assert Limits.resolve(session="12h") == Limits(DEFAULT_SOFT_S, DEFAULT_HARD_S, 12 * HOUR)


def test_a_soft_limit_alone_leaves_the_hard_one():
    """A shorter soft limit does not move the hard one."""
    assert Limits.resolve(soft="30") == Limits(30.0, DEFAULT_HARD_S, None)


def test_a_soft_limit_past_the_default_moves_the_hard_one_behind_it():
    """On a machine without a session limit a soft limit of 20 h works, with time left after it."""
    limits = Limits.resolve(soft="20h")
    assert limits.soft_s == 20 * HOUR
    assert limits.hard_s > 21 * HOUR


def test_a_hard_limit_alone_moves_the_soft_one_before_it():
    """A hard limit below the default leaves the soft one its usual share of the time."""
    limits = Limits.resolve(hard="60")
    assert limits.hard_s == 60
    assert limits.soft_s == pytest.approx(60 * 0.875 / 0.986, rel=1e-3)
    assert Limits.resolve(hard="20h").soft_s == DEFAULT_SOFT_S


@pytest.mark.parametrize(
    "given_limits",
    [
        {"soft": "30", "hard": "20"},
        {"soft": "30", "hard": "30"},
        {"soft": "0"},
        {"hard": 0},
        {"session": "0s"},
        {"soft": "11h55m", "session": "12h"},
        {"hard": "13h", "session": "12h"},
        {"soft": "soon"},
    ],
)
def test_limits_that_contradict_each_other_are_refused(given_limits):
    """Soft not before hard, hard past the session, zero: an error, never a deadline that cannot work."""
    with pytest.raises(UsageError):
        Limits.resolve(**given_limits)


@settings(deadline=None)
@given(
    soft=st.none() | st.floats(1e-3, 1e6),
    hard=st.none() | st.floats(1e-3, 1e6),
    session=st.none() | st.floats(1e-3, 1e6),
)
def test_resolved_limits_are_always_in_order(soft, hard, session):
    """Whatever is given, the result has 0 < soft < hard ≤ session, or there is an error."""
    try:
        limits = Limits.resolve(soft, hard, session)
    except UsageError:
        assert (soft, hard).count(None) < 2, "a session limit alone always has an answer"
        return
    assert 0 < limits.soft_s < limits.hard_s <= (limits.session_s or float("inf"))
    assert soft in (None, limits.soft_s)
    assert hard in (None, limits.hard_s)


def test_a_deadline_counts_from_when_the_session_began():
    """Elapsed and left are measured from the absolute beginning, not from when the deadline was made."""
    clock = ManualClock(monotonic=1_000.0)
    deadline = Deadline(Limits(10.0, 12.0), began_monotonic=995.0, clock=clock)
    assert (deadline.elapsed_s(), deadline.soft_left_s(), deadline.hard_left_s()) == (5.0, 5.0, 7.0)
    clock.advance(8.0)
    assert (deadline.soft_left_s(), deadline.hard_left_s()) == (-3.0, -1.0)
    assert (deadline.soft_at, deadline.hard_at) == (1_005.0, 1_007.0)
