"""What a session foretells of itself while it runs, and where it is told."""

import io
import json
from pathlib import Path

import pytest

from kit import outlook, own_loop
from kit.harness.clock import ManualClock
from kit.harness.heartbeat import Heartbeat, read_beat
from kit.harness.run_folder import RunFolder
from kit.notebooks.progress import RunProgress
from kit.report.process import ReportProcess
from kit.report.terminal import summary_text
from kit.timing.interval import SHARES
from kit.timing.prediction import intervals_here
from tests.crash.runs import read
from tests.walking import ask_at, open_session, walk_on


@pytest.fixture(autouse=True)
def _at_every_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty steps take no second: have the phases read at each of them, and nothing drawn."""
    monkeypatch.setattr(outlook, "EVERY_S", 0.0)
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)


def test_a_run_notes_at_each_share_what_it_thinks_is_left(tmp_path):
    """Five notes in timing.json, at the first boundary past each share, each with seconds still to come."""
    with open_session(tmp_path / "run") as session:
        walk_on(session)
    notes = read(tmp_path / "run", "timing.json")["reforecasts"]
    assert [note["share"] for note in notes] == list(SHARES)
    assert [note["step"] for note in notes] == [4, 10, 20, 30, 36]
    assert all(note["remaining_s"] > 0 for note in notes)
    elapsed = [note["elapsed_s"] for note in notes]
    assert elapsed == sorted(elapsed)


def test_a_run_that_is_stopped_says_how_much_is_left_to_do(tmp_path, monkeypatch):
    """The summary holds it with its interval, and the terminal shows it; a complete run has nothing left."""
    with open_session(tmp_path / "run") as session:
        monkeypatch.setattr(session.pace, "look_due", lambda: ask_at(session, 20))
        walk_on(session)
    summary = session.close()
    to_do = summary["still_to_do"]
    assert (summary["status"], summary["step"]) == ("stopped", 20)
    factor = intervals_here().ahead(0.5).factor
    assert (
        to_do["high_s"]
        == pytest.approx(factor * to_do["predicted_s"])
        == pytest.approx(factor**2 * to_do["low_s"])
    )
    assert "Still to do: " in summary_text(summary, "r")
    with open_session(tmp_path / "run") as session:
        walk_on(session)
    assert session.close()["still_to_do"] is None


def test_the_end_and_its_interval_reach_the_progress_bar(tmp_path):
    """The heartbeat carries the factor; the bar shows how long it still takes, and between what."""
    with open_session(tmp_path / "run") as session:
        walk_on(session)
        beat = read_beat(session.folder.heartbeat)
    assert beat is not None
    assert beat.factor == intervals_here().ahead(0.9).factor

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    clock, stream = ManualClock(monotonic=10.0), Terminal()
    folder = RunFolder(tmp_path / "other")
    folder.create()
    with Heartbeat(folder.heartbeat, 0.0) as heart, RunProgress("walk", stream, clock) as bar:
        heart.beat(1, 2, 20.0, "rollout", 110.0, 2.0)
        bar.tick(folder)
    assert "rollout, 1m40s left (50s to 3m20s)" in stream.getvalue()


def test_a_quick_test_leaves_what_tells_drift_from_scatter(tmp_path):
    """Stretches of the quick test, each with the units and seconds of the phases in it."""
    with open_session(tmp_path / "run", steps=4_000, quick_test=True) as session:
        walk_on(session)
    measured = read(tmp_path / "run", "timing.json")["measured"]
    rollouts = [window["rollout"] for window in measured["windows"] if "rollout" in window]
    assert len(rollouts) >= 8
    assert all(count > 0 and seconds > 0 for count, seconds in rollouts)


def test_a_quick_test_of_a_loop_ends_in_time_however_long_the_run(tmp_path, monkeypatch):
    """After its minute it has measured enough: complete, with the steps that it did, for the total that was asked."""
    monkeypatch.setattr(own_loop, "QUICK_S", 0.05)
    with open_session(tmp_path / "run", steps=10_000_000, quick_test=True) as session:
        walk_on(session)
    summary = session.close()
    assert summary["status"] == "complete"
    assert 0 < summary["step"] == summary["total_timesteps"] < 100_000
    assert json.loads((tmp_path / "run/timing.json").read_text())["measured"]["timesteps"] == summary["step"]


def test_pressure_goes_by_the_phases_once_they_are_known(tmp_path: Path):
    """What the plan still holds, ten tests of a second, reduces a total that the pace alone would keep."""
    with open_session(tmp_path / "run", on_pressure="reduce", steps=400) as session:
        session.planner.units("rollout", per_step=1.0)
        session.planner.units("test", fixed=10)
        session.restore()
        session.timer.switch("rollout")
        session.timer.phases["rollout"].count = 100.0
        session.timer.add_count("test", 1)
        session.timer.phases["test"].total_s = 1.0
        session.outlook.observe(100)
        left_s = session.scaler.remaining(100, 400)
        assert 9.0 <= left_s <= 10.0
        end_s = session.scaler.predicted_end_s(100, 5.0)
        assert end_s == pytest.approx(5.0 + left_s)
