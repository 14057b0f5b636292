"""A session that continues what another machine's session left in the attached inputs."""

import shutil

import pytest

from kit.errors import ConfigMismatchError, UsageError
from kit.harness.watchdog import request_stop
from kit.report.process import ReportProcess
from tests.crash.runs import assert_sound, contents, read
from tests.crash.walk import Walk
from tests.walking import open_session, walk_on


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures and page take longer than everything else together."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


@pytest.fixture
def inputs(tmp_path):
    """The output of a session that broke off at step 25 of 40, as the next machine finds it: without .kit."""
    with pytest.raises(RuntimeError), open_session(tmp_path / "first/runs/walk") as session:
        walk_on(session, until=25)
    shutil.rmtree(tmp_path / "first/runs/walk/.kit")
    (tmp_path / "first").rename(tmp_path / "input")
    return tmp_path / "input"


def test_a_run_continued_from_inputs_ends_as_one_that_was_never_broken_off(tmp_path, inputs):
    """The same rows, byte for byte; two sessions in the ledger; exact without --trust, since nothing is pickled."""
    with open_session(tmp_path / "straight") as session:
        walk_on(session)
    before = contents(inputs)
    with open_session(tmp_path / "second", inputs=inputs) as session:
        walk_on(session)
    assert (tmp_path / "second/metrics.csv").read_bytes() == (tmp_path / "straight/metrics.csv").read_bytes()
    summary = read(tmp_path / "second")
    assert (summary["status"], summary["sessions"], summary["exact"]) == ("complete", 2, True)
    assert contents(inputs) == before
    assert (
        f"taken over from {inputs / 'runs/walk'}, at step 20"
        in (tmp_path / "second/logs/run.log").read_text()
    )
    assert_sound(tmp_path / "second")


def test_the_run_folder_comes_before_the_inputs(tmp_path, inputs):
    """A run that is in the folder is continued, however far the attached one is."""
    with open_session(tmp_path / "second") as session:
        request_stop(session.folder, "a test")
        walk_on(session)
    with open_session(tmp_path / "second", inputs=inputs) as session:
        session.restore()
        assert session.step == 0


def test_fresh_does_not_look_at_the_inputs(tmp_path, inputs):
    """Who says fresh begins at step 0."""
    with open_session(tmp_path / "second", inputs=inputs, fresh=True) as session:
        session.restore()
        assert session.step == 0


def test_settings_that_are_declared_later_are_still_refused(tmp_path, inputs):
    """An attached run that was made without the setting is not continued with it; the message names it."""
    session = open_session(tmp_path / "second", inputs=inputs)
    with pytest.raises(ConfigMismatchError, match="rate"), session:
        session.declare(rate=0.1)


def test_a_session_that_must_resume_does_not_begin_anew(tmp_path, inputs):
    """A session whose input is missing would repeat the work: it is refused before it trains, and names both places."""
    with pytest.raises(UsageError, match="no sound run of these settings"):
        open_session(tmp_path / "second", inputs=tmp_path / "nothing", must_resume=True)
    with open_session(tmp_path / "second", inputs=inputs, must_resume=True) as session:
        session.restore()
        assert session.step == 20


def test_a_complete_run_in_the_inputs_is_not_trained_again(tmp_path):
    """The session finds it trained, and only finalises."""
    with open_session(tmp_path / "input/walk") as session:
        walk_on(session)
    with open_session(tmp_path / "second", inputs=tmp_path / "input") as session:
        assert list(steps_of(session)) == []
    assert read(tmp_path / "second")["status"] == "complete"


def steps_of(session):
    """Return the steps that are still to do."""
    session.register(walk=Walk(session.seed))
    return session.steps()
