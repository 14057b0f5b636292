import pytest

from kit.errors import IntegrityError
from kit.harness.run_folder import RunFolder
from kit.harness.summary import DIED, RUNNING, SessionLedger, read_json, write_json


@pytest.mark.parametrize("content", ["", "{", "[1]", "1", "\x00"])
def test_a_file_that_is_no_json_object_is_an_integrity_error(tmp_path, content):
    """The message names the file; an absent one is an empty object."""
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(IntegrityError, match=r"x\.json") as caught:
        read_json(tmp_path / "x.json")
    assert caught.value.bad == [str(tmp_path / "x.json")]
    assert read_json(tmp_path / "none.json") == {}


def test_json_comes_back_as_it_was(tmp_path):
    """Text outside of ASCII is kept readable."""
    write_json(tmp_path / "x.json", {"ä": [1, None, 0.5]})
    assert read_json(tmp_path / "x.json") == {"ä": [1, None, 0.5]}
    assert "ä" in (tmp_path / "x.json").read_text()


def test_sessions_add_up_and_one_that_never_ended_is_told(tmp_path):
    """Times are summed over sessions; one left running is unfinished until the next begins, then it died."""
    folder = RunFolder(tmp_path)
    first = SessionLedger(folder)
    entry = first.begin("2026-01-01T00:00:00+00:00", 0)
    assert not folder.sessions.exists()
    entry.elapsed_s = 2.5
    first.save()
    second = SessionLedger(folder)
    assert second.unfinished
    assert second.begin("2026-01-01T01:00:00+00:00", 10).session == 2
    second.entries[-1].elapsed_s = 1.0
    second.entries[-1].end = "reached its total"
    second.save()
    assert [entry.end for entry in SessionLedger(folder).entries] == [DIED, "reached its total"]
    assert SessionLedger(folder).elapsed_s == 3.5
    assert not SessionLedger(folder).unfinished
    assert first.entries[0].end == RUNNING
