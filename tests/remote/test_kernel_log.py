"""The log of a run on Kaggle, as it is written and as it is read meanwhile."""

import json
import os

from hypothesis import given
from hypothesis import strategies as st

from kit.harness.clock import ManualClock
from kit.remote.kernel_log import CHUNK_BYTES, KernelLog, read_log


def test_the_log_is_one_json_array_of_streams_times_and_texts(tmp_path):
    """Kaggle's form: an object for each piece, its time in seconds since the beginning."""
    clock, path = ManualClock(monotonic=100.0), tmp_path / "one.log"
    with KernelLog(path, 98.0, clock) as log:
        log.add("stdout", "half a li")
        clock.advance(1.5)
        log.add("stderr", "ne\nand more\n")
        log.add("stdout", "")
    assert json.loads(path.read_text()) == [
        {"stream_name": "stdout", "time": 2.0, "data": "half a li"},
        {"stream_name": "stderr", "time": 3.5, "data": "ne\nand more\n"},
    ]


def test_a_log_without_a_word_is_an_empty_array(tmp_path):
    """A run that is killed before it says anything leaves a log all the same."""
    with KernelLog(tmp_path / "empty.log", 0.0):
        pass
    assert json.loads((tmp_path / "empty.log").read_text()) == []
    assert read_log(tmp_path / "empty.log") == []


@given(texts=st.lists(st.text(min_size=1)), cut=st.integers(0, 30))
def test_a_log_can_be_read_at_any_instant(tmp_path_factory, texts, cut):
    """Whole records are there while it is written, whatever is in them; one that is cut is left out."""
    path = tmp_path_factory.mktemp("log") / "live.log"
    log = KernelLog(path, 0.0, ManualClock())
    for text in texts:
        log.add("stdout", text)
    assert [record["data"] for record in read_log(path)] == texts
    whole = path.read_bytes()
    if cut and len(whole) > cut:
        path.write_bytes(whole[:-cut])
        assert [record["data"] for record in read_log(path)] == texts[: whole[:-cut].count(b"\n")]
        path.write_bytes(whole)
    log.close()
    assert [record["data"] for record in read_log(path)] == texts


def test_a_record_is_what_one_read_gave_and_characters_stay_whole(tmp_path):
    """Boundaries of records are not those of lines, and a character that two reads share is in the second."""
    text = "x" * (CHUNK_BYTES - 1) + "é" + "\n"
    reading, writing = os.pipe()
    with KernelLog(tmp_path / "long.log", 0.0, ManualClock()) as log:
        thread = log.pump("stdout", os.fdopen(reading, "rb"))
        with os.fdopen(writing, "wb") as stream:
            stream.write(text.encode())
        thread.join()
    records = read_log(tmp_path / "long.log")
    assert "".join(record["data"] for record in records) == text
    assert len(records) > 1
    assert not any("\ufffd" in record["data"] for record in records)
