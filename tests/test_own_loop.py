"""A loop of one's own: what it goes on from when it was left, or broke, before anything else was kept."""

import errno

import numpy as np
import pytest

from kit.errors import StorageError, UsageError
from kit.report.process import ReportProcess
from tests.crash.runs import assert_sound, read
from tests.crash.walk import Walk
from tests.walking import open_session, walk_on


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    """Figures and page take longer than everything else together."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


def test_an_error_in_the_first_step_leaves_the_checkpoint_of_the_start(tmp_path):
    """Whatever the cadence: sound, and gone on from, generators included, to the end of a run that had no error."""
    with open_session(tmp_path / "whole") as session:
        walk_on(session)
    with pytest.raises(RuntimeError, match="broken off"), open_session(tmp_path / "run") as session:
        walk_on(session, until=0)
    assert (read(tmp_path / "run")["resumable"], read(tmp_path / "run")["step"]) == (True, 0)
    assert_sound(tmp_path / "run")
    np.random.seed(5)
    with open_session(tmp_path / "run") as session:
        walk = Walk(1)
        session.register(walk=walk)
        for _ in session.steps():
            session.record(distance=walk.advance())
    assert (tmp_path / "run/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()


def no_space(*_, **__):
    """Fail as a full disk does."""
    raise StorageError(errno.ENOSPC, "no space left")


@pytest.mark.parametrize(
    ("left_at", "full", "exact"), [(0, False, True), (25, False, True), (5, True, False)]
)
def test_a_loop_that_is_left_and_begun_again_tells_whether_it_is_exact(
    tmp_path, left_at, full, exact, monkeypatch
):
    """It goes on from its newest checkpoint, that of its start at least; where not even that was written it says so."""
    with open_session(tmp_path / "whole") as session:
        whole = walk_on(session)
    np.random.seed(0)
    walk, session = Walk(1), open_session(tmp_path / "twice")
    session.register(walk=walk)
    with monkeypatch.context() as disk:
        if full:
            disk.setattr(session.outputs.checkpoints, "save", no_space)
        for step in session.steps():
            session.record(distance=walk.advance())
            if step == left_at:
                break
        session.outputs.wait()
    for _ in session.steps():
        walk.advance()
    assert session.close()["exact"] is exact
    assert np.array_equal(walk.at, whole.at) is exact
    with pytest.raises(UsageError, match="The session is closed"):
        next(session.steps())
