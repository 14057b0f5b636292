"""NaN and infinities in what a run left: Python writes them into JSON, which does not know them."""

import json
import math
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.harness.archive import package
from kit.harness.finite import finite
from kit.remote import waiting
from tests.remote.conftest import SLUG
from tests.remote.kaggle_server import Plan
from tests.remote.made_runs import TOTAL, files_of
from tests.remote.test_remote_cli import notebook, refuse, said
from validation_cli import main

__all__ = ["notebook", "said"]
STRANGE = {"loss": math.nan, "best": {"delay": [1.0, -math.inf]}, "elapsed_s": math.nan}
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def strange(run: Path, to: Path, **facts: object) -> Path:
    """Make a copy of a run with such numbers in its summary, in its archive too."""
    shutil.copytree(run, to)
    path = to / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **STRANGE, **facts}))
    assert "NaN" in path.read_text()
    package(to)
    return to


@given(tree=TREES)
def test_plain_data_becomes_json_and_all_else_stays(tree):
    """What is finite comes back as it was."""
    text = json.dumps(finite(tree), allow_nan=False)
    again = json.loads(text, parse_constant=refuse)
    assert again == finite(tree)
    if "NaN" not in json.dumps(tree) and "Infinity" not in json.dumps(tree):
        assert again == tree


def test_status_prints_json_and_text(loopback, runs, said, tmp_path, capsys):
    """Each such number is null, in the file of --out too; the exit code is that of the run."""
    run = strange(runs["stopped"], tmp_path / "run")
    loopback.ran(Plan(files=files_of(run)))
    target, out = f"{loopback.server.user}/{SLUG}", tmp_path / "status.json"
    code, found, _ = said("status", target, "--out", str(out))
    assert (code, found["run"]["loss"], found["run"]["best"]) == (4, None, {"delay": [1.0, None]})
    assert json.loads(out.read_text(), parse_constant=refuse) == found
    assert main(["status", target]) == 4
    assert f"step {found['run']['step']} of {TOTAL}" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("step", [math.nan, math.inf, None, "many"])
def test_a_step_that_is_none_is_that_of_the_newest_checkpoint(
    loopback, runs, said, tmp_path, caplog, capsys, step
):
    """Of the archive and of loose files alike; status does without, and says so."""
    truth = json.loads((runs["stopped"] / "summary.json").read_text())["step"]
    run = strange(runs["stopped"], tmp_path / "run", step=step)
    loopback.ran(Plan(files=files_of(run)))
    target = f"{loopback.server.user}/{SLUG}"
    assert main(["status", target]) == 4
    assert f"step (not known) of {TOTAL}" in capsys.readouterr().out
    assert f"its 'step' is {step!r}" in caplog.text
    for number, how in enumerate([(), ("--loose",)]):
        code, found, _ = said("pull", target, "--out", str(tmp_path / f"home-{number}"), *how)
        assert (code, found["step"], found["status"]) == (0, truth, "stopped")


@pytest.mark.slow
def test_a_chain_goes_on(loopback, runs, said, notebook, tmp_path, monkeypatch):
    """The session after it begins where the checkpoint is, and the state on disk is JSON."""
    monkeypatch.setattr(waiting, "LATE_S", 0.5)  # of real time
    truth = json.loads((runs["stopped"] / "summary.json").read_text())["step"]
    run = strange(runs["stopped"], tmp_path / "run", step=math.nan, forecast={"predicted_s": math.nan})
    loopback.machine.plan(Plan(files=files_of(run)), Plan(files=files_of(runs["complete"])))
    out = tmp_path / "there"
    words = ("chain", str(notebook), "--slug", SLUG, "--skip-checks", "--out", str(out), "--every", "0.2s")
    code, found, _ = said(*words)
    assert (code, [one["from_step"] for one in found["sessions"]]) == (0, [0, truth])
    json.loads((tmp_path / "there.chain" / "chain.json").read_text(), parse_constant=refuse)
