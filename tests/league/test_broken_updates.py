"""Updates that break in the first seconds of a run: what is kept, and how a run or a notebook's cell goes on."""

import json
import math

import pytest

from kit.errors import DivergenceError
from kit.harness.verify import verify
from kit.league.collector import Workers
from kit.league.learners import Reinforce, register_learner
from kit.league.runtime import build
from kit.league.under_session import learn
from kit.report.process import ReportProcess
from kit.session import TrainingSession
from tests.league.small_player import small_settings

UPDATES = 4


class Fragile(Reinforce):
    """REINFORCE, whose loss is no number in one update; 0: in none."""

    breaks_at = 0

    def backward(self, loss, steps):
        """Add the gradient, or what is left of it."""
        super().backward(loss * math.nan if self.policy_version + 1 == self.breaks_at else loss, steps)


@pytest.fixture(autouse=True)
def _fragile(monkeypatch):
    register_learner("fragile", Fragile)
    monkeypatch.setattr(ReportProcess, "_ask", lambda *_: False)  # figures take longer than everything else


def played(out):
    """Play a run in a folder to its end, and return its summary."""
    run = build(**small_settings(algorithm="fragile"))
    return run.start(UPDATES, 10, out=out, interface=False).wait()


@pytest.mark.parametrize("at", [1, 3])
def test_a_loss_that_is_no_number_leaves_a_sound_checkpoint_to_go_on_from(tmp_path, at, monkeypatch):
    """In the very first update as in the third; mended, the run ends as one in which nothing broke."""
    played(tmp_path / "whole")
    monkeypatch.setattr(Fragile, "breaks_at", at)
    with pytest.raises(DivergenceError, match=f"nan in update {at}"):
        played(tmp_path / "run")
    monkeypatch.setattr(Fragile, "breaks_at", 0)
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert (summary["status"], summary["resumable"]) == ("failed", True)
    assert verify(tmp_path / "run").ok
    assert played(tmp_path / "run")["status"] == "complete"
    for name in ("metrics.csv", "results.json"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("at", [1, 3])
def test_the_cell_that_learns_can_be_run_again(tmp_path, at, monkeypatch):
    """In the same session, with a league made anew from the same parts: as if it had not broken."""

    def opened(out):
        return TrainingSession.open("self_play", total_timesteps=UPDATES, config={"seed": 1}, out=out)

    def cell(session, run):
        return learn(session, run.parts.league(session.folder.root, Workers(10)))

    with opened(tmp_path / "whole") as session:
        whole = cell(session, build(**small_settings(algorithm="fragile")))
    run, session = build(**small_settings(algorithm="fragile")), opened(tmp_path / "run")
    monkeypatch.setattr(Fragile, "breaks_at", at)
    with pytest.raises(DivergenceError):
        cell(session, run)
    monkeypatch.setattr(Fragile, "breaks_at", 0)
    again = cell(session, run)
    assert session.close()["exact"]
    assert again.parts.registry.view() == whole.parts.registry.view()
    assert (tmp_path / "run/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()
    name = f"adapters/{UPDATES:06d}/adapter_model.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
