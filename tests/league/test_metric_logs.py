"""Logs beside metrics.csv: TensorBoard by the session, Weights & Biases by the tracker, and a run's name there."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from kit import TrainingSession
from kit.errors import MissingDependencyError
from kit.league import metric_writers
from kit.league.collector import Workers
from kit.league.metric_writers import MetricLogs, WandbWriter, identity
from kit.league.runtime import build
from tests.league.small_player import small_settings


@pytest.fixture
def wandb(monkeypatch):
    """Stand in for the library, which is not installed here; return what was called of it."""
    called = []
    run = SimpleNamespace(
        log=lambda row, step: called.append((step, row)), finish=lambda: called.append("finished")
    )
    stand_in = SimpleNamespace(init=lambda **given: called.append(given) or run)
    load = metric_writers._load
    monkeypatch.setattr(
        metric_writers, "_load", lambda module, name: stand_in if name == "wandb" else load(module, name)
    )
    return called


def test_wandb_is_given_rows_by_step(tmp_path, wandb):
    """What is called of its library: init, log with a step, finish."""
    writer = WandbWriter("UnstableBaselines", "0123", "kuhn", tmp_path)
    writer.write(3, {"loss": 0.5})
    writer.close()
    assert (wandb[0]["project"], wandb[0]["id"], wandb[0]["name"]) == ("UnstableBaselines", "0123", "kuhn")
    assert wandb[1:] == [(3, {"loss": 0.5}), "finished"]


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed here")
def test_wandb_that_is_not_installed_is_named_before_a_model_is_loaded():
    """With the command that installs it; nobody who does not ask for it needs it."""
    with pytest.raises(MissingDependencyError, match="pip install wandb"):
        MetricLogs(wandb_project="UnstableBaselines")
    assert MetricLogs() == MetricLogs(tensorboard=False, wandb_project=None)


def open_run(out, **more):
    """Open a session at the times that it is told, close it, and return what the run is called."""
    session = TrainingSession.open("self_play", total_timesteps=4, config={"seed": 1, **more}, out=out)
    name = identity(session)
    assert session.outputs.folder == session.folder  # from here on it is on disk
    session.let_go()
    return name


def test_a_run_keeps_its_identity_and_shares_it_with_no_other(tmp_path):
    """Resumed and moved it is the same; one of other settings or of another time in a folder of that name is not."""
    name = open_run(tmp_path / "a/run")
    (tmp_path / "a/run").rename(tmp_path / "moved")
    assert open_run(tmp_path / "moved") == name
    assert open_run(tmp_path / "b/run", rate=2) != name
    ledger = tmp_path / "moved/sessions.json"
    began = json.loads(ledger.read_text())["sessions"][0]["began"]
    ledger.write_text(ledger.read_text().replace(began, "2001-01-01T00:00:00+00:00", 1))
    assert open_run(tmp_path / "moved") != name


def test_rows_of_a_run_go_to_the_logs_that_build_was_told(tmp_path, wandb):
    """Every row to Weights & Biases by its step, under one id however often it is resumed; to TensorBoard's log too."""
    pytest.importorskip("tensorboard")
    often = {"wandb": True, "wandb_project": "kuhn", "tensorboard": True}
    for steps_before in (0, 2):
        run = build(**small_settings(**often))
        if not steps_before:
            update = run.parts.learner.update
            run.parts.learner.update = lambda batch, run=run, update=update: (run.stop(), update(batch))[1]
        run.start(2, 10, out=tmp_path / "run", interface=False)
    begun = [one for one in wandb if isinstance(one, dict)]
    assert len({one["id"] for one in begun}) == 1
    assert {one["project"] for one in begun} == {"kuhn"}
    rows = [one for one in wandb if isinstance(one, tuple)]
    assert [step for step, _ in rows] == [1, 2]
    assert wandb.count("finished") == len(begun)
    assert any((tmp_path / "run/tensorboard").iterdir())


def test_nobody_who_does_not_ask_gets_a_log(tmp_path):
    """No writers, no folder."""
    run = build(**small_settings())
    run.start(1, 10, out=tmp_path / "run", interface=False)
    assert run.parts.tracker.writers == ()
    assert not (Path(tmp_path) / "run/tensorboard").exists()
    assert run.config(Workers(10)) == build(**small_settings(tensorboard=True)).config(Workers(10))
