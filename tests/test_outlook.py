"""What a session foretells of itself while it runs, and where it is told."""

import io
import json
from pathlib import Path

import pytest

from kit import TrainingSession, outlook, own_loop
from kit.harness.clock import ManualClock
from kit.harness.heartbeat import Heartbeat, read_beat
from kit.harness.run_folder import RunFolder
from kit.notebooks.progress import RunProgress
from kit.report.process import ReportProcess
from kit.report.terminal import summary_text
from kit.timing.history import add_pair
from kit.timing.interval import SHARES
from kit.timing.pair import Ahead, Pair
from kit.timing.prediction import this_machine
from tests.crash.runs import read
from tests.walking import ask_at, open_session, walk_on


@pytest.fixture(autouse=True)
def _at_every_boundary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty steps take no second: have the phases read at each of them, nothing drawn, and a history of its own."""
    monkeypatch.setattr(outlook, "EVERY_S", 0.0)
    monkeypatch.setattr(outlook, "QUICK_EVERY_S", 0.0)
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ahead = tuple(Ahead(share, 10.0, 10.0 * (1 + share)) for share in SHARES)
    for _ in range(9):
        add_pair(Pair("n", this_machine(), 10.0, 30.0, "2026-01-01", ahead=ahead))


def quick_tested(tmp_path: Path) -> Path:
    """The folder of a run to be, with its quick test beside it."""
    with open_session(tmp_path / "run-quick", quick_test=True) as session:
        walk_on(session)
    return tmp_path / "run"


def at_a_second_a_step(session: TrainingSession, step: int) -> None:
    """Let a session have done so many steps, each of which took a second."""
    session.planner.units("rollout", per_step=1.0)
    session.restore()
    session.timer.switch("rollout")
    session.timer.add_count("rollout", step)
    session.timer.phases["rollout"].total_s = float(step)
    session.step = step


def test_a_run_notes_past_each_share_what_it_thinks_is_left(tmp_path):
    """Five notes in timing.json, at the first boundary past each share, fewer seconds to come in each than all took."""
    with open_session(quick_tested(tmp_path)) as session:
        walk_on(session)
    summary, notes = session.close(), read(tmp_path / "run", "timing.json")["reforecasts"]
    assert [note["share"] for note in notes] == list(SHARES)
    assert [note["step"] for note in notes] == [4, 10, 20, 30, 36]
    elapsed = [note["elapsed_s"] for note in notes]
    assert elapsed == sorted(elapsed)
    assert elapsed[-1] < summary["elapsed_s"]


def test_a_share_that_was_passed_unseen_has_no_note(tmp_path):
    """From a fifth of the steps to four: what is foretold there is noted for three quarters, and for nothing before."""
    with open_session(tmp_path / "run", steps=100) as session:
        at_a_second_a_step(session, 20)
        session.outlook.observe(20)
        session.outlook.observe(80)
        session.outlook.observe(81)
        assert [(note.share, note.step) for note in session.outlook.notes] == [(0.1, 20), (0.75, 80)]
        assert session.outlook.notes[0].remaining_s == pytest.approx(80.0, rel=0.01)


def test_a_run_that_is_stopped_says_how_much_is_left_to_do(tmp_path, monkeypatch):
    """The summary holds it with the interval of that share, as the terminal does; a complete run has nothing left."""
    with open_session(quick_tested(tmp_path)) as session:
        monkeypatch.setattr(session.pace, "look_due", lambda: ask_at(session, 20))
        walk_on(session)
    summary = session.close()
    to_do = summary["still_to_do"]
    assert (summary["status"], summary["step"]) == ("stopped", 20)
    assert to_do["high_s"] / to_do["predicted_s"] == pytest.approx(1.5)
    assert to_do["predicted_s"] / to_do["low_s"] == pytest.approx(1.5)
    assert " to " in summary_text(summary, "r").partition("Still to do: ")[2].partition("\n")[0]
    with open_session(tmp_path / "run") as session:
        walk_on(session)
    assert session.close()["still_to_do"] is None


def test_without_a_quick_test_there_is_no_interval(tmp_path, monkeypatch):
    """Every run in the history had one: what is left is told, and not how sure that is."""
    with open_session(tmp_path / "run") as session:
        monkeypatch.setattr(session.pace, "look_due", lambda: ask_at(session, 20))
        walk_on(session)
        assert session.outlook.factor == 0.0
    summary = session.close()
    assert summary["still_to_do"]["predicted_s"] > 0
    assert (summary["still_to_do"]["low_s"], summary["still_to_do"]["high_s"]) == (None, None)
    assert "Still to do: " in summary_text(summary, "r")


def test_the_end_and_its_interval_reach_the_progress_bar(tmp_path):
    """The heartbeat carries the factor of the last share; the bar shows how long it still takes, and between what."""
    with open_session(quick_tested(tmp_path)) as session:
        walk_on(session)
        beat = read_beat(session.folder.heartbeat)
    assert beat is not None
    assert beat.factor == pytest.approx(1.9)

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
    assert len(rollouts) >= 12
    assert all(count > 0 and seconds > 0 for count, seconds in rollouts)


def test_a_quick_test_of_a_loop_ends_in_time_however_long_the_run(tmp_path, monkeypatch):
    """After its minute it has measured enough: one step more, which knows that it is the last, and it is complete."""
    monkeypatch.setattr(own_loop, "QUICK_S", 0.05)
    known = []
    with open_session(tmp_path / "run", steps=10_000_000, quick_test=True) as session:
        for step in session.steps():
            if step + 1 == session.total_timesteps:
                known.append(step)
    summary = session.close()
    assert summary["status"] == "complete"
    assert 0 < summary["step"] == summary["total_timesteps"] == known[0] + 1
    assert len(known) == 1
    assert json.loads((tmp_path / "run/timing.json").read_text())["measured"]["timesteps"] == summary["step"]


def test_pressure_goes_by_the_phases_once_they_are_known(tmp_path):
    """100 steps of a second and one test of ten of 5 s are done: of 200 s, 45 are for tests, so 155 steps are left."""
    with open_session(tmp_path / "run", on_pressure="reduce", steps=400) as session:
        session.planner.units("test", fixed=10)
        at_a_second_a_step(session, 100)
        session.timer.add_count("test", 1)
        session.timer.phases["test"].total_s = 5.0
        session.outlook.observe(100)
        assert session.scaler.predicted_end_s(100, 7.0) == pytest.approx(7.0 + 300.0 + 45.0, rel=0.01)
        session.scaler.soft_limit_s = session.deadline.elapsed_s() + 200.0
        session.scaler.observe(0, 0.0)
        assert session._pressure.observe(100, 0.0)
        assert session.scaler.total_timesteps == pytest.approx(255, abs=2)


def test_a_quick_test_that_was_damaged_stops_no_run(tmp_path, caplog):
    """Its times are not counted on, with a warning; the run goes on by its pace."""
    run = quick_tested(tmp_path)
    (tmp_path / "run-quick/timing.json").write_text('{"phases": [')
    with open_session(run) as session:
        walk_on(session)
    assert session.close()["status"] == "complete"
    assert caplog.text.count("The quick test beside run forecasts nothing here") == 1


def test_nine_runs_on_this_kind_of_machine_calibrate_the_next_ones_forecast(tmp_path):
    """The run's own record says by how many its interval was made."""
    with open_session(quick_tested(tmp_path)) as session:
        walk_on(session)
    forecast = session.close()["forecast"]
    assert (forecast["pairs"], forecast["calibrated"]) == (9, True)
    assert forecast["factor"] == pytest.approx(3.0)
    assert forecast["high_s"] == pytest.approx(max(3.0, forecast["reach"]) * forecast["predicted_s"])
