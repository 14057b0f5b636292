"""`validation_cli.py budget`: the document, one JSON object, probes, exit codes."""

import json
import shutil
from pathlib import Path

import pytest

import validation_cli

ROOT = Path(__file__).resolve().parent.parent
PROBE = {
    "stage": "sft",
    "step_s": 57.6,
    "peak_bytes": 28e9,
    "machine": "NVIDIA A100",
    "date": "2026-11-21",
    "new": 1,
}


def main(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, stdout and stderr."""
    code = validation_cli.main(words)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def budget(tmp_path: Path) -> Path:
    """A copy of the shipped budget."""
    return Path(shutil.copy(ROOT / "budget.yaml", tmp_path / "budget.yaml"))


def test_it_writes_document_and_chart_beside_the_budget_and_changes_nothing_in_it(capsys, budget):
    """Exit 0; the document is the committed one; the terminal names the total and each contradiction."""
    code, output, _ = main(capsys, "budget", str(budget))
    assert code == 0
    assert (budget.parent / "COMPUTE_BUDGET.md").read_bytes() == (ROOT / "COMPUTE_BUDGET.md").read_bytes()
    assert (budget.parent / "budget.png").stat().st_size > 0
    assert "1,494–1,850 GPU-h" in output
    assert "rft.gpu_hours" in output
    assert budget.read_bytes() == (ROOT / "budget.yaml").read_bytes()


def test_json_is_one_object_and_out_says_where(capsys, budget, tmp_path):
    """The object has the total, the findings and the paths of what was written."""
    out = tmp_path / "there" / "plan.md"
    code, output, _ = main(capsys, "budget", str(budget), "--out", str(out), "--json")
    found = json.loads(output)
    assert (code, found["document"], found["chart"]) == (0, str(out), str(out.with_name("budget.png")))
    assert found["total"]["gpu_hours"]["low"] == pytest.approx(1493.85)
    assert {one["kind"] for one in found["findings"]} == {"contradiction", "assumed", "open"}
    assert out.exists()


def test_a_probe_is_recorded_and_the_document_follows(capsys, budget, tmp_path):
    """The figures are measured in the file, projected after it, and said in the document and the terminal."""
    (tmp_path / "probe.json").write_text(json.dumps(PROBE))
    code, output, errors = main(capsys, "budget", str(budget), "--record", str(tmp_path / "probe.json"))
    assert code == 0, errors
    assert "measured: sft.vram 28 GB, sft.step_time 57.6 s" in output
    assert "projected: sft.time_per_epoch 5 h" in output
    assert "step_time: {value: 57.6 s, mark: measured" in budget.read_text()
    document = (tmp_path / "COMPUTE_BUDGET.md").read_text()
    assert "| time of an epoch | 5 h | *projected* |" in document
    assert "estimated before: 10 h" in document


def test_a_probe_of_a_cpu_exits_2_and_changes_nothing(capsys, budget, tmp_path):
    """Seconds of a CPU would become GPU-hours: the device is named, and what is wanted."""
    probe = tmp_path / "probe.json"
    probe.write_text(json.dumps(PROBE | {"device": "cpu", "machine": "linux-x86_64-2cores-gpu:none"}))
    before = budget.read_bytes()
    code, output, _ = main(capsys, "budget", str(budget), "--record", str(probe), "--json")
    error = json.loads(output)["error"]
    assert (code, "ran on a CPU (linux-x86_64-2cores-gpu:none)" in error, "A100 40GB" in error) == (
        2,
        True,
        True,
    )
    assert budget.read_bytes() == before
    assert not (tmp_path / "COMPUTE_BUDGET.md").exists()


def test_the_stage_may_be_given_beside_the_probe(capsys, budget, tmp_path):
    """A probe that does not say what it is of takes the stage from the command line; without, it is refused."""
    probe = tmp_path / "probe.json"
    probe.write_text(json.dumps({key: value for key, value in PROBE.items() if key != "stage"}))
    code, output, _ = main(capsys, "budget", str(budget), "--record", str(probe), "--json")
    assert code == 2
    assert "--stage" in json.loads(output)["error"]
    assert main(capsys, "budget", str(budget), "--record", str(probe), "--stage", "sft")[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "error", "nearest"),
    [
        ("vram: 30 GB", "vram: 30 gb", "line 73, sft.vram: Unknown unit 'gb'", "GB"),
        ("steps: 5,000 steps", "stepz: 5,000 steps", "rft.stepz: Unknown figure", "steps"),
        ("duration: 12 h", "duration: = gpu_hours / gpus", "circular formula: domain_adaptation.", None),
    ],
)
def test_a_bad_budget_exits_2_with_the_place_and_writes_nothing(capsys, budget, old, new, error, nearest):
    """{error, nearest} on stdout, and no document made from nothing."""
    text = budget.read_text()
    assert text.count(old) == 1
    budget.write_text(text.replace(old, new))
    code, output, _ = main(capsys, "budget", str(budget), "--json")
    found = json.loads(output)
    assert code == 2
    assert error in found["error"]
    assert found["nearest"] == nearest
    assert not (budget.parent / "COMPUTE_BUDGET.md").exists()


def test_a_stage_without_a_probe_is_refused(capsys, budget):
    """--stage alone would be silently ignored."""
    code, output, _ = main(capsys, "budget", str(budget), "--stage", "sft", "--json")
    assert (code, json.loads(output)["nearest"]) == (2, "--record")
