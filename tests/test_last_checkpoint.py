"""The last checkpoint of a session: tried twice, and no clean end without it."""

from functools import partial
from typing import Any

import pytest

from kit import TrainingSession
from kit.errors import StorageError
from kit.report.process import ReportProcess
from tests.crash.runs import assert_sound, read
from tests.walking import ask_at, open_session, walk_on


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures and page, which take longer than the rest together."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


def fail_to_save(session: TrainingSession, monkeypatch: pytest.MonkeyPatch, step: int, times: int) -> None:
    """Let the disk refuse the checkpoint of ``step`` that many times."""
    save, left = session.outputs.checkpoints.save, [times]

    def refuse(at: int, *arguments: Any, **settings: Any) -> Any:
        if at == step and left[0]:
            left[0] -= 1
            raise StorageError("the disk is full")
        return save(at, *arguments, **settings)

    monkeypatch.setattr(session.outputs.checkpoints, "save", refuse)


@pytest.mark.parametrize("stops", [True, False])
def test_a_last_checkpoint_that_fails_once_is_taken_once_more(tmp_path, monkeypatch, caplog, stops):
    """At a stop and at the total the run stands where it ended, and the failure was said."""
    with open_session(tmp_path / "run") as session:
        last = 25 if stops else 40
        if stops:
            monkeypatch.setattr(session.pace, "look_due", partial(ask_at, session, 25))
        fail_to_save(session, monkeypatch, last, 1)
        walk_on(session)
    summary = read(tmp_path / "run")
    assert (summary["status"], summary["step"]) == ("stopped" if stops else "complete", last)
    assert "it is tried once more: the disk is full" in caplog.text
    assert_sound(tmp_path / "run")


@pytest.mark.parametrize("caught", [True, False])
@pytest.mark.parametrize("stops", [True, False])
def test_a_last_checkpoint_that_cannot_be_written_is_no_clean_end(tmp_path, monkeypatch, stops, caught):
    """The summary says why, and stands at the checkpoint before, also where the workload catches the error."""
    session = open_session(tmp_path / "run")
    last = 25 if stops else 40
    if stops:
        monkeypatch.setattr(session.pace, "look_due", partial(ask_at, session, 25))
    fail_to_save(session, monkeypatch, last, 2)
    with pytest.raises(StorageError, match=f"of step {last}, .* two attempts; the run stands at step "):
        walk_on(session)
    summary = session.close() if caught else (session.ending.on_exit(), session.close())[1]
    assert summary["status"] == ("stopped" if caught else "failed")
    assert "could not be written at two attempts" in summary["reason"]
    assert summary["step"] < last
    assert summary["resumable"]
    monkeypatch.undo()
    with open_session(tmp_path / "run") as again:
        walk_on(again)
    assert again.close()["status"] == "complete"
