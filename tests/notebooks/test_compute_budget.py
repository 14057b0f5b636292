from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kit.timing.budget import read_budget
from tests.test_cli import ROOT, call, read

SMALL = (
    "layers=1",
    "width=16",
    "length=8",
    "vocabulary=50",
    "probe_steps=12",
    "accumulation=2",
)


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    """A small example, and a copy of the budget that ships, whose stage sft is to run on a CPU."""
    text = (ROOT / "budget.yaml").read_text()
    text = text.replace("cards:\n", "cards:\n  CPU: {memory: 30 GB, price: 0 USD/GPU-h}\n", 1)
    one, other = text.split("  sft:\n")
    (tmp_path / "plan.yaml").write_text(f"{one}  sft:\n{other.replace('gpu: [', 'gpu: [CPU, ', 1)}")
    each = [*SMALL, f"budget={tmp_path / 'plan.yaml'}"]
    return [word for setting in each for word in ("--set", setting)]


def test_the_notebook_measures_projects_and_records(tmp_path: Path, settings: list[str]) -> None:
    """With a stage: the probe, its projection, a budget with the measured figure, both charts; again, it is done."""
    before = (tmp_path / "plan.yaml").read_bytes()
    out = tmp_path / "run"
    code, summary, errors = call("run", out, *settings, "--set", "stage=sft", notebook="compute_budget")
    assert (code, summary["status"]) == (0, "complete"), errors
    results = read(out, "results.json")
    probe = results["probe"]
    assert (probe["stage"], probe["steps"] + probe["warm_up_steps"]) == ("sft", 12)
    assert probe["samples"] == 2 * 8 * probe["steps"]
    rest_s = (5_000 - probe["warm_up_steps"]) * probe["step_s"]
    assert results["run_s"] == pytest.approx(probe["warm_up_s"] + rest_s)
    assert {path.name for path in (out / "figures").glob("*.png")} >= {"probe.png", "budget.png"}
    figure = read_budget(out / "budget.yaml").figures["sft.step_time"]
    assert (figure.mark, figure.entry.machine) == ("measured", probe["machine"])
    assert (out / "COMPUTE_BUDGET.md").stat().st_size > 1_000
    assert (tmp_path / "plan.yaml").read_bytes() == before
    again, _, errors = call("run", out, *settings, "--set", "stage=sft", notebook="compute_budget")
    assert again == 0, errors
    assert read(out, "results.json") == results


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "why"),
    [
        ("", "No stage is named"),
        pytest.param(
            "rft",
            "'rft' is planned on A100 40GB or A100 80GB: its seconds make no GPU-hours",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="the probe runs on the GPU"),
        ),
    ],
)
def test_what_is_no_measurement_is_not_recorded(
    tmp_path: Path, settings: list[str], stage: str, why: str
) -> None:
    """Without a stage, or without the stage's GPU, the budget stays as it is, and the notebook says why."""
    out = tmp_path / "run"
    code, _, errors = call("run", out, *settings, "--set", f"stage={stage}", notebook="compute_budget")
    assert code == 0, errors
    assert read(out, "results.json")["probe"].get("stage", "") == stage
    assert (out / "budget.yaml").read_bytes() == (tmp_path / "plan.yaml").read_bytes()
    cells = json.loads((out / "executed.ipynb").read_text())["cells"]
    printed = json.dumps(cells)
    assert "steps of the run:" in printed
    assert "Nothing is recorded in the budget" in printed
    assert why in printed
