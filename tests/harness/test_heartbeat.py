import subprocess
import sys

import pytest

from kit.errors import StorageError
from kit.harness.heartbeat import Beat, Heartbeat, read_beat
from tests.crash.faults import mounted

WRITER = """
import os, sys
from pathlib import Path
from kit.harness.heartbeat import Heartbeat
Heartbeat(Path(sys.argv[1]), 5.0).beat(7, 9, 6.5, "rollout", 8.25)
os._exit(3)
"""


def test_a_beat_is_read_by_another_process_and_outlives_its_own(tmp_path):
    """What a process said last is there after it died without a word."""
    died = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path / "beat")], check=False)
    assert died.returncode == 3
    assert read_beat(tmp_path / "beat") == Beat(7, 9, 6.5, 5.0, 8.25, "rollout")


def test_the_last_beat_counts_and_a_long_phase_is_cut(tmp_path):
    """Beats replace each other in place; a name longer than its field does no harm."""
    with Heartbeat(tmp_path / "beat", 0.0) as heart:
        heart.beat(1, 2, 1.0, "x" * 100)
        assert read_beat(tmp_path / "beat").phase == "x" * 24
        heart.beat(2, 2, 3.0, "update")
    heart.close()
    assert read_beat(tmp_path / "beat") == Beat(2, 2, 3.0, 0.0, 0.0, "update")


def test_steps_and_writes_are_told_apart_from_beats(tmp_path):
    """A step says that the run is under way, a write comes and goes by itself; a beat leaves both alone."""
    with Heartbeat(tmp_path / "beat", 5.0) as heart:
        heart.beat(7, 90, 6.5, "rollout", 8.25)
        heart.reached(8)
        heart.under_way()
        heart.writing(True)
        assert read_beat(tmp_path / "beat") == Beat(8, 90, 6.5, 5.0, 8.25, "rollout", True, True)
        heart.beat(9, 90, 7.5, "update")
        heart.writing(False)
        assert read_beat(tmp_path / "beat") == Beat(9, 90, 7.5, 5.0, 0.0, "update", True, False)
    heart.writing(True)
    heart.beat(10, 90, 8.0, "update")
    assert read_beat(tmp_path / "beat").step == 9
    with Heartbeat(tmp_path / "beat", 9.0) as heart:
        heart.beat(0, 90, 9.5, "setup")
        assert not read_beat(tmp_path / "beat").under_way  # the next session has not begun


@pytest.mark.parametrize("content", [None, b"", b"short", b"x" * 200])
def test_no_heartbeat_reads_as_none(tmp_path, content):
    """No file, an empty, a short and a foreign one say nothing."""
    if content is not None:
        (tmp_path / "beat").write_bytes(content)
    assert read_beat(tmp_path / "beat") is None


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process(tmp_path):
    """Without room for a page it is a StorageError; a hole in a mapped file would be SIGBUS at the first beat."""
    with mounted(tmp_path / "disk", "size=12k") as disk:
        (disk / "ballast").write_bytes(bytes(12 << 10))
        with pytest.raises(StorageError, match="No space left"):
            Heartbeat(disk / "beat", 0.0)
