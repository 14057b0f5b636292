"""The command line: checks of notebooks that run in a real kernel, their exit codes and what is left."""

import json
from pathlib import Path
from typing import Any

import pytest

import validation_cli
from kit.harness.deadline import Limits
from kit.notebooks.launch import Launch
from kit.notebooks.preflight import findings_of, launching_of
from kit.preflight.catalogue import CHECKS
from tests.preflight.planted import LEARNS, ROOT, TRAFFIC, TRAINS, Change, plant

MAKE_ENV = "make_env = partial(place.make_vec_env, n_envs, seed, reward)"
PLACE = "place = load_scenario(scenario)"
COMPARED = "        session.save_results(compare(place, agent, baselines, days))"
SHORTER = """        results = compare(place, agent, baselines, days)
        short = compare(replace(place, horizon_decisions=40), agent, baselines, days)
        results["evaluation"]["controllers"][1:] = short["evaluation"]["controllers"][1:]
        session.save_results(results)"""
IMPORTS = ("from functools import partial", "from dataclasses import replace\nfrom functools import partial")
DEFECTS = (
    "from kit import TrainingSession",
    "from kit import TrainingSession\nfrom tests.preflight import defects",
)
WITHOUT_A_SESSION = {"Quick test completes", "RobustOutputManager integrated in code"}
ENDS = "Terminated and truncated not confused"
TRAFFIC_DEFECTS: dict[str, tuple[tuple[Change, ...], str]] = {
    "silent": (
        (DEFECTS, (MAKE_ENV, MAKE_ENV + "\nheard = make_env\nmake_env = lambda: defects.Silent(heard())")),
        "Reward not identically zero, not NaN",
    ),
    "unheard": (
        (DEFECTS, (MAKE_ENV, MAKE_ENV + "\nheard = make_env\nmake_env = lambda: defects.Unheard(heard())")),
        "Action changes the next state",
    ),
    "ending": (
        (DEFECTS, (MAKE_ENV, MAKE_ENV + "\nheard = make_env\nmake_env = lambda: defects.Ending(heard())")),
        ENDS,
    ),
    "evaluation": (
        (
            DEFECTS,
            (
                "run=partial(measure, place, selection_days),",
                'run=lambda model: {"delay_s_per_vehicle": defects.play_in_training(model)},',
            ),
        ),
        "Evaluation environment is not the training one",
    ),
    "horizons": ((IMPORTS, (COMPARED, SHORTER)), "Baseline and agent judged over equal horizons and seeds"),
    "short episodes": (
        (
            IMPORTS,
            (PLACE, "place = replace(load_scenario(scenario), horizon_decisions=8 if quick_test else 240)"),
        ),
        "Episode length as in the full run",
    ),
    "no gradient step": (
        (('"learning_starts": 500', '"learning_starts": 5_000'),),
        "Gradient steps happened",
    ),
    "no learning": ((("LinearSchedule(1e-3, 5e-5, 1.0)", "0.0"),), "Weights changed"),
}


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Call ``preflight --json``; return exit code, its object, and its checks by name."""
    code = validation_cli.main(["preflight", *words, "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out)
    return code, found, {check["name"]: check for check in found["checks"]}


def failed(checks: dict[str, Any]) -> set[str]:
    """Return the names of those that failed."""
    return {name for name, check in checks.items() if check["status"] == "fail"}


KERNEL_DEFECTS = [
    pytest.param(TRAINS, ('fail = ""', 'fail = "no updates"'), "Gradient steps happened", id="loop"),
    pytest.param(
        LEARNS,
        ("make_env = defects.cart", "make_env = defects.Deaf"),
        "Action changes the next state",
        id="algorithm",
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize(("notebook", "change", "name"), KERNEL_DEFECTS)
def test_a_planted_defect_fails_the_command_with_its_name(tmp_path, capsys, notebook, change, name):
    """Exit 1; every check is there, in order, with what it saw, why it matters and what to do; the run is archived."""
    notebook = plant(notebook, tmp_path, change)
    code, found, checks = checked(capsys, str(notebook), "--out", str(tmp_path / "run"))
    assert (code, found["passed"], failed(checks)) == (1, False, {name})
    assert list(checks) == [check.name for check in CHECKS]
    assert all(set(check) == {"name", "status", "saw", "why", "todo"} for check in found["checks"])
    assert all(all(check.values()) for check in found["checks"])
    assert found["run_dir"] == str(tmp_path / "run")
    assert (tmp_path / "run/artifacts.zip").exists()


def test_what_is_left_without_a_session_is_named(tmp_path):
    """A quick test that left no run: it did not complete, and nothing keeps it; what was not looked at is no pass."""
    launching = launching_of(Launch(LEARNS, {}, str(tmp_path / "run"), quick_test=True), Limits())
    found = {one.name: one for one in findings_of(launching, {}, "It opened no TrainingSession.", Limits())}
    assert {name for name, one in found.items() if one.status == "fail"} == WITHOUT_A_SESSION
    assert found["Quick test completes"].saw == "It opened no TrainingSession."
    assert found["Weights changed"].status == "note"


@pytest.mark.slow
def test_a_notebook_without_a_session_is_named(tmp_path, capsys, monkeypatch):
    """Nothing is kept of it: exit 1, and what was not looked at is no pass."""
    monkeypatch.chdir(tmp_path)
    switch = ("quick = False", "quick = False\nquick_test = False")
    notebook = plant(ROOT / "tests/notebooks/fixtures/completes.ipynb", tmp_path / "there", switch)
    code, _, checks = checked(capsys, str(notebook))
    assert code == 1
    assert failed(checks) == WITHOUT_A_SESSION
    assert checks["Weights changed"]["status"] == "note"


@pytest.mark.slow
def test_a_training_that_fails_is_named_with_its_step(tmp_path, capsys):
    """The quick test's own end is a check, and what it left is looked at all the same."""
    words = (
        str(TRAINS),
        "--out",
        str(tmp_path / "run"),
        "--set",
        "fail=training",
        "--set",
        "total_timesteps=4000",
    )
    code, _, checks = checked(capsys, *words)
    assert code == 1
    assert "a bug in the workload" in checks["Quick test completes"]["saw"]
    assert checks["Intermediate CSV export working"]["status"] != "fail"


@pytest.mark.slow
def test_a_healthy_notebook_is_in_order_and_its_text_is_narrow(tmp_path, capsys):
    """Exit 0, of the traffic notebook too; no line is wider than 100 columns."""
    code = validation_cli.main(["preflight", str(LEARNS), "--out", str(tmp_path / "run")])
    text = capsys.readouterr().out
    assert (code, "Preflight IN ORDER" in text) == (0, True), text
    assert max(map(len, text.splitlines())) <= 100
    words = ("traffic_signal", "--set", "scenario=balanced", "--set", "total_timesteps=4000")
    code, _, checks = checked(capsys, *words, "--out", str(tmp_path / "traffic"))
    assert (code, failed(checks)) == (0, set())


@pytest.mark.slow
def test_a_quick_test_shows_the_checks_and_keeps_them(tmp_path, capsys):
    """They are in its summary, in its text and in its exit code; the forecast counts none of their time."""
    notebook = plant(LEARNS, tmp_path, ("total_timesteps=total_timesteps", "total_timesteps=2_000"))
    code = validation_cli.main(["quick-test", str(notebook), "--out", str(tmp_path / "run")])
    text = capsys.readouterr().out
    assert code == 1
    assert "FAIL  Session opened for the planned timesteps" in text
    assert "Forecast for 2,000 steps" in text
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["preflight"]["passed"] is False
    phases = {row["name"]: row for row in summary["forecast"]["phases"]}
    assert phases["preflight"]["total_s"] == 0
    assert validation_cli.main(["verify", str(tmp_path / "run")]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("defect", TRAFFIC_DEFECTS)
def test_a_defect_in_the_traffic_notebook_is_named(tmp_path: Path, capsys, defect):
    """The check that it is for fails, through the command line and a real kernel."""
    changes, name = TRAFFIC_DEFECTS[defect]
    notebook = plant(TRAFFIC, tmp_path, *changes)
    settings = ("--set", "scenario=balanced", "--set", "total_timesteps=4000", "--set", "test_days=2")
    code, _, checks = checked(capsys, str(notebook), "--out", str(tmp_path / "run"), *settings)
    assert code == 1
    assert name in failed(checks)
    assert len(failed(checks)) <= 3
