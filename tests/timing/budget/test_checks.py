import pytest

from kit.timing.budget import read_budget
from tests.timing.budget.made import SHIPPED, contradictions, made

MEASURED = 'mark: measured, source: probe, date: 2026-11-21, machine: "NVIDIA {}"'
A100, T4 = MEASURED.format("A100-SXM4-40GB"), MEASURED.format("Tesla T4")
STEP = ("step_time: = time_per_epoch * effective_batch / dataset_size", "step_time: {{value: 2 s, {}}}")
SECOND = """\
    storage: 20 GB
  rft:
    kind: reinforcement
    group: core
    gpu: A100 40GB
    gpus: 1 GPU
    vram: unknown
    dataset_size: 15,000 prompts
    responses_per_prompt: 2
    steps: 5,000
    generation_to_update: 3 x
    relative_to: sft
    cost_factor: 5-8 x
    gpu_hours: HOURS
    planning_budget: 220 GPU-h
    storage: 1 GB
"""


def second(hours: str, *more: tuple[str, str]) -> tuple[str, str]:
    """A second stage that is relative to the first."""
    text = SECOND.replace("HOURS", hours)
    for old, new in more:
        text = text.replace(old, new)
    return "    storage: 20 GB\n", text


def test_a_budget_without_contradictions_has_none():
    """Every check can pass: the small budget passes all."""
    assert contradictions(made()) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("effective_batch: 32", "effective_batch: 64"), ("batches", "sft.effective_batch")),
        (("vram: 30 GB", "vram: 41 GB"), ("memory", "sft.vram")),
        (
            ("vram: 30 GB", "parameters: 7e9\n    bytes_per_parameter: 16 B\n    vram: 30 GB"),
            ("training_memory", "sft.bytes_per_parameter"),
        ),
        (second("150-200 GPU-h"), ("relative_costs", "rft.gpu_hours")),
        (
            second("75-120 GPU-h", ("responses_per_prompt: 2", "responses_per_prompt: 8")),
            ("responses", "rft.cost_factor"),
        ),
        (("= time_per_epoch * epochs * gpus", "35 GPU-h"), ("products", "sft.gpu_hours")),
        (("planning_budget: 40", "planning_budget: 20"), ("planning_budgets", "sft.planning_budget")),
        (("contingency: 0 %", "contingency: 15 %"), ("double_buffer", "plan.contingency")),
        (("vram: 30 GB", "vram: {value: 30 GB, elsewhere: 25 GB}"), ("said_twice", "sft.vram")),
        ((STEP[0], STEP[1].format(T4)), ("measurements", "sft.step_time")),
        (
            (STEP[0], f"{STEP[1].format(A100)}\n    samples_per_s: {{value: 2 samples/s, {A100}}}"),
            ("measurements", "sft.step_time"),
        ),
    ],
)
def test_each_check_finds_what_it_is_for_and_nothing_else(change, found):
    """One planted contradiction, one finding, at the figure that is at fault."""
    assert contradictions(made(change)) == [found]


@pytest.mark.parametrize(
    "changes",
    [
        [("effective_batch: 32", "effective_batch: = batch_size * accumulation * gpus / 1 GPU")],
        [("vram: 30 GB", "vram: 40 GB")],
        [("vram: 30 GB", "parameters: 1e9\n    bytes_per_parameter: 16 B\n    vram: 30 GB")],
        [second("75-120 GPU-h")],
        [second("100-200 GPU-h")],
        [("= time_per_epoch * epochs * gpus", "30 GPU-h")],
        [("planning_budget: 40", "planning_budget: 30"), ("contingency: 0 %", "contingency: 15 %")],
        [("vram: 30 GB", "vram: {value: 30 GB, elsewhere: 30 GB}")],
        [(STEP[0], STEP[1].format(A100))],
        [(STEP[0], f"{STEP[1].format(A100)}\n    samples_per_s: {{value: 16 samples/s, {A100}}}")],
    ],
)
def test_each_check_passes_where_the_figures_agree(changes):
    """The same figures without the contradiction: nothing is found."""
    assert contradictions(made(*changes)) == []


def test_two_gpus_count_in_the_effective_batch():
    """8 × 4 on two GPUs is 64."""
    two = [("gpus: 1 GPU", "gpus: 2 GPU"), ("planning_budget: 40", "planning_budget: 60")]
    assert contradictions(made(*two, ("effective_batch: 32", "effective_batch: 64"))) == []
    assert contradictions(made(*two)) == [("batches", "sft.effective_batch")]


def test_the_contradictions_of_the_plan_are_found():
    """Those of the compute-budget plan, by arithmetic: nothing about them is written in budget.yaml."""
    findings = {(one.check, one.place): one.text for one in read_budget(SHIPPED).findings}
    assert (
        "30 GB does not fit a card that is named: RTX 4090 (24 GB), RTX 3090 (24 GB)"
        in findings["memory", "sft.vram"]
    )
    assert "7 Gparams at 16 B each" in findings["training_memory", "svd_finetune.bytes_per_parameter"]
    assert "112 GB" in findings["training_memory", "svd_finetune.bytes_per_parameter"]
    costs = findings["relative_costs", "rft.gpu_hours"]
    assert "3.6 GPU-s" in costs
    assert "75–120 GPU-h" in costs
    assert "150–200 GPU-h" in costs
    twice = findings["double_buffer", "plan.contingency"]
    assert "sft 30–31.5 GPU-h → 40 GPU-h" in twice
    assert "150–200 GPU-h → 220 GPU-h" in twice
    assert findings["said_twice", "svd_finetune.duration"] == "Given as 2–3 h, and elsewhere as 2 h."
    assert ("assumptions", "plan.seeds") in findings
    assert ("assumptions", "ablations.runs") in findings
    assert ("responses", "rft.cost_factor") in findings


def test_an_assumption_that_is_measured_or_projected_is_none_any_more():
    """Nor does it matter then what the plan said of it at two places."""
    words = 'assumed: "nobody said", elsewhere: 1 GB'
    for value in (f"value: 20 GB, {A100}", "value: 20 GB, projection: step_time * 10 GB / 1 s"):
        changes = [STEP] if "projection" in value else []
        changes = [(old, new.format(A100)) for old, new in changes]
        budget = made(*changes, ("storage: 20 GB", f"storage: {{{value}, {words}}}"))
        assert budget.findings == ()
        assert budget.figures["sft.storage"].quantity.in_unit("GB") == (20.0, 20.0)
    assert {
        one.check for one in made(("storage: 20 GB", f"storage: {{value: 20 GB, {words}}}")).findings
    } == {
        "assumptions",
        "said_twice",
    }


def test_what_is_assumed_and_what_is_open_is_listed():
    """An assumed value and an unknown one are findings of their own kinds; neither is a contradiction."""
    budget = made(("seeds: 2", 'seeds: {value: 2, assumed: "nobody said"}'), ("vram: 30 GB", "vram: unknown"))
    found = {(one.kind, one.place, one.line) for one in budget.findings}
    assert found == {("assumed", "plan.seeds", 3), ("open", "sft.vram", 15)}
