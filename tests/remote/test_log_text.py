"""A log of records becomes lines again, and tells how far its run is."""

import io
import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kit.harness.progress_line import Progress, ProgressLine, read_progress
from kit.remote.log_text import LogLine, last_progress, log_lines, readable

LINES = st.lists(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20), min_size=1, max_size=8
)


@given(lines=LINES, cuts=st.lists(st.integers(0, 200), max_size=12))
def test_lines_survive_any_cutting_into_records(lines, cuts):
    """Where a record ends means nothing."""
    text = "".join(f"{line}\n" for line in lines)
    at = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    records = [
        {"stream_name": "stdout", "time": float(n), "data": text[a:b]}
        for n, (a, b) in enumerate(pairwise(at))
    ]
    assert [line.text for line in log_lines(json.dumps(records))] == lines


def test_a_line_has_the_time_of_its_first_record_and_streams_are_kept_apart():
    """Two halves of a line with another stream's between them are one line."""
    records = [
        {"stream_name": "stdout", "time": 1.0, "data": "one "},
        {"stream_name": "stderr", "time": 2.0, "data": "aside\n"},
        {"stream_name": "stdout", "time": 3.0, "data": "line\nrest"},
    ]
    assert log_lines(json.dumps(records)) == [
        LogLine(1.0, "stdout", "one line"),
        LogLine(2.0, "stderr", "aside"),
        LogLine(3.0, "stdout", "rest"),
    ]
    assert readable(json.dumps(records)).splitlines()[0] == "       1.0s  one line"


def test_what_is_no_array_of_records_is_shown_as_it_is():
    """A log in another form is better than none."""
    assert [line.text for line in log_lines("plain\nwords")] == ["plain", "words"]
    assert log_lines("") == []
    assert log_lines('[{"no": "data"}, 3]') == []


@given(
    step=st.integers(0, 10**9),
    total=st.integers(1, 10**9),
    left_s=st.none() | st.floats(0, 10**6),
    phase=st.sampled_from(["setup", "rollout", "evaluate"]),
)
def test_a_progress_line_reads_back(step, total, left_s, phase):
    """Step, total and phase are those that were told; a time left is there where one was known."""
    stream = io.StringIO()
    ProgressLine(stream).tell(step, total, phase, 0.0, left_s)
    found = read_progress(stream.getvalue())
    assert found is not None
    assert (found.step, found.total, found.phase) == (step, total, phase)
    assert bool(found.left) == (left_s is not None)


def test_progress_is_told_every_half_minute_and_when_it_must():
    """12 h are 1,440 lines, however often it is asked."""
    stream = io.StringIO()
    line = ProgressLine(stream)
    for second in range(91):
        line.tell(second, 100, "rollout", float(second))
    line.tell(91, 100, "ended", 91.0, now=True)
    told = [read_progress(text) for text in stream.getvalue().splitlines()]
    assert [one.step for one in told if one] == [0, 30, 60, 90, 91]


def test_the_last_progress_of_a_log_is_found_across_records():
    """Whatever else was said since."""
    records = [
        {
            "stream_name": "stderr",
            "time": 1.0,
            "data": "kit: step 10 of 40 (25%), setup\nkit: step 1,200 of 4,0",
        },
        {"stream_name": "stderr", "time": 2.0, "data": "00 (30%), rollout, 1h20m left\n"},
        {"stream_name": "stdout", "time": 3.0, "data": "something else\n"},
    ]
    assert last_progress(json.dumps(records)) == Progress(1200, 4000, "rollout", "1h20m")
    assert last_progress("[]") is None


def test_a_time_that_is_none_is_the_begin():
    """NaN, an infinity, a word: a line keeps its text, and sums of times stay numbers."""
    records = '[{"time": NaN, "data": "a\\n"}, {"time": Infinity, "data": "b\\n"}, {"time": "soon", "data": "c\\n"}]'
    assert [(line.time_s, line.text) for line in log_lines(records)] == [(0.0, "a"), (0.0, "b"), (0.0, "c")]
