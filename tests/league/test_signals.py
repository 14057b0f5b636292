"""Signals that come in the middle of an update: the run stops after it, resumable, and loses nothing."""

import signal

import pytest

from kit.harness.cadence import Cadence
from kit.league.runtime import build
from kit.report.process import ReportProcess
from tests.league.small_player import small_settings


@pytest.mark.parametrize("where", ["evaluate", "collect", "save"])
def test_a_signal_in_the_middle_of_an_update_stops_the_run_after_it(tmp_path, where, monkeypatch):
    """While games are played, while games measure, while the adapter is saved: the end is that of a whole run."""
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)
    often = Cadence(checkpoint_every_steps=1)
    whole = build(**small_settings()).start(4, 10, out=tmp_path / "whole", interface=False).wait()
    assert whole["status"] == "complete"
    run = build(**small_settings())

    def interrupted(owner, name):
        call = getattr(owner, name)

        def then(*given, **more):
            signal.raise_signal(signal.SIGTERM)
            return call(*given, **more)

        monkeypatch.setattr(owner, name, then)

    made = run.parts.league

    def league(*given):
        found = made(*given)
        if where == "save":
            interrupted(found.shelf, "save")
        else:
            interrupted(found.parts.collector, where)
        return found

    run.parts.league = league
    summary = run.start(4, 10, out=tmp_path / "parts", interface=False, cadence=often).wait()
    assert (summary["status"], summary["reason"], summary["resumable"]) == ("stopped", "SIGTERM", True)
    assert summary["step"] == (2 if where == "evaluate" else 1)
    again = build(**small_settings()).start(4, 10, out=tmp_path / "parts", interface=False).wait()
    assert (again["status"], again["exact"]) == ("complete", True)
    for name in ("metrics.csv", "results.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
