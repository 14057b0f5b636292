import difflib
import json
import re

import pytest
import yaml

from kit.errors import UsageError
from kit.timing.budget import parse_budget, read_budget, read_probe, record, record_probe, why_not_recorded
from kit.timing.budget.fields import STAGE_FIELDS
from tests.timing.budget.made import SHIPPED, SMALL, changed

FROM = {"source": "a run of 100 steps", "date": "2026-11-21", "machine": "NVIDIA A100-SXM4-40GB"}
PROBE = {
    "stage": "sft",
    "step_s": 57.6,
    "peak_bytes": 28_400_000_000,
    "samples_per_s": 32 / 57.6,
    "machine": "NVIDIA A100-SXM4-40GB",
    "date": "2026-11-21",
    "steps": 100,
    "parts": {"loader": {"mean_s": 1.0}},
    "something_new": [1, 2],
}


@pytest.fixture
def small(tmp_path):
    """The small budget as a file."""
    path = tmp_path / "budget.yaml"
    path.write_text(SMALL)
    return path


def lines_changed(before: str, after: str) -> list[str]:
    """The lines that differ, with + or −."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[:1] in "+-"]


def test_only_the_line_of_the_figure_changes(small):
    """A value in a line becomes a measured one there; its comment stays, and the estimate it replaces."""
    record(small, "sft", "vram", "28.4 GB", **FROM)
    assert lines_changed(SMALL, small.read_text()) == [
        "-     vram: 30 GB  # with checkpointing",
        '+     vram: {value: 28.4 GB, mark: measured, source: "a run of 100 steps", '
        'machine: "NVIDIA A100-SXM4-40GB", date: 2026-11-21, was: "30 GB"}  # with checkpointing',
    ]


def test_a_measured_step_time_projects_what_follows(small):
    """57.6 s a step halves the epoch: 10 h become 5 h, 30 GPU-h become 15 GPU-h, each marked for what it is."""
    budget = record(small, "sft", "step_time", "57.6 s", **FROM)
    figures = budget.figures
    assert figures["sft.step_time"].mark == "measured"
    assert figures["sft.time_per_epoch"].mark == figures["sft.gpu_hours"].mark == "projected"
    assert figures["sft.vram"].mark == figures["sft.dataset_size"].mark == "estimated"
    assert figures["sft.time_per_epoch"].quantity.in_unit("h") == (5.0, 5.0)
    assert budget.total.all.hours.in_unit("GPU-h") == (30.0, 30.0)
    row = next(one for one in budget.as_json()["stages"][0]["figures"] if one["name"] == "sft.time_per_epoch")
    assert (row["text"], row["estimated_before"], row["mark"]) == ("5 h", "10 h", "projected")


def test_what_measures_nothing_about_time_projects_no_time(small):
    """A counted data set makes the epoch no projection: its rate still follows from the estimate of the epoch."""
    text = SMALL.replace(
        "    step_time:", "    samples_per_s: = dataset_size / time_per_epoch\n    step_time:"
    )
    small.write_text(text)
    figures = record(small, "sft", "dataset_size", "20,000 samples", **FROM).figures
    assert figures["sft.time_per_epoch"].mark == "estimated"
    assert figures["sft.time_per_epoch"].quantity.in_unit("h") == (10.0, 10.0)
    assert figures["sft.samples_per_s"].mark == "projected"


def test_two_figures_that_are_each_others_projection_do_not_go_in_a_circle():
    """The measured one decides; where neither is measured but both could follow, one keeps its estimate."""
    pair = (
        "figures:\n  rate: {value: 2 x, mark: measured, source: probe, date: 2026-11-21}\n"
        "  one: {value: 1 x, projection: rate * two}\n  two: {value: 5 x, projection: rate * one}\nstages:"
    )
    figures = parse_budget(changed(("stages:", pair)), "budget.yaml").figures
    assert [figures[f"figures.{name}"].mark for name in ("one", "two")] == ["projected", "estimated"]
    assert figures["figures.one"].quantity.low == 10.0


def test_a_figure_over_several_lines_keeps_its_other_keys_and_comments(small):
    """The value is replaced where it stands; source, date and the old value join it, projection and comment stay."""
    record(small, "sft", "time_per_epoch", "9.5 h", **FROM)
    text = small.read_text()
    assert "      value: 9.5 h  # a guess\n      mark: measured\n" in text
    assert '      was: "10 h"\n      projection: [' in text
    assert read_budget(small).figures["sft.time_per_epoch"].mark == "measured"


def test_recording_again_replaces_the_measurement_and_keeps_the_first_estimate(small):
    """Two probes leave one measurement and the estimate from before the first."""
    record(small, "sft", "vram", "28.4 GB", **FROM)
    once = small.read_text()
    figure = record(small, "sft", "vram", "29 GB", **FROM | {"date": "2026-11-22"}).figures["sft.vram"]
    assert (figure.entry.was, figure.entry.date) == ("30 GB", "2026-11-22")
    assert len(lines_changed(once, small.read_text())) == len(lines_changed(SMALL, SMALL)) + 2
    assert figure.quantity.in_unit("GB") == (29.0, 29.0)


def test_a_figure_that_is_not_there_yet_is_added_to_its_stage(small):
    """It comes at the end of the stage, and everything before it stays."""
    budget = record(small, "sft", "samples_per_s", "0.5 samples/s", **FROM)
    assert small.read_text().startswith(SMALL.rstrip("\n"))
    assert budget.figures["sft.time_per_epoch"].quantity.in_unit("h") == pytest.approx((20_000 / 3600,) * 2)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_stay(tmp_path, newline):
    """A file from Windows stays one."""
    path = tmp_path / "budget.yaml"
    path.write_bytes(SMALL.replace("\n", newline).encode())
    record(path, "sft", "samples_per_s", "0.5 samples/s", **FROM)
    record(path, "sft", "time_per_epoch", "9.5 h", **FROM)
    data = path.read_bytes().decode()
    assert data.count("\n") == data.count(newline)


def test_a_stage_in_braces_takes_a_figure_too(tmp_path):
    """The file may be written in either style of YAML."""
    path = tmp_path / "budget.yaml"
    path.write_text(json.dumps(yaml.safe_load(SMALL)))
    budget = record(path, "sft", "samples_per_s", "0.5 samples/s", **FROM)
    budget = record(path, "sft", "vram", "28.4 GB", **FROM)
    assert [budget.figures[f"sft.{name}"].mark for name in ("samples_per_s", "vram")] == ["measured"] * 2


@pytest.mark.parametrize("name", ['a "b"', "a: b # c", "a\nb", "{x}", "ü—信", "\\", "\x07", "x" * 300])
def test_any_words_survive_as_the_source(small, name):
    """Whatever a machine is called, the file can be read again and says so, on one line."""
    figure = record(small, "sft", "vram", "28 GB", **FROM | {"source": name}).figures["sft.vram"]
    assert figure.entry.source == " ".join(name.split()).replace("\x07", "?")
    assert read_budget(small).figures["sft.vram"].entry.source == figure.entry.source


@pytest.mark.parametrize(
    ("stage", "field", "value", "message"),
    [
        ("sfd", "vram", "28 GB", "Unknown stage 'sfd'. Did you mean 'sft'"),
        ("sft", "step_tme", "2 s", "Unknown figure 'step_tme'. Did you mean 'step_time'"),
        ("sft", "step_time", "2 GB", "It is a size and has the wrong unit"),
        ("sft", "step_time", "0 s", "more than zero is wanted"),
        ("sft", "step_time", "-1 s", "negative"),
        ("sft", "step_time", "= 1 s", "no quantity"),
    ],
)
def test_what_cannot_be_recorded_leaves_the_file_as_it_was(small, stage, field, value, message):
    """Unknown names, wrong units and nothing measured are refused with the place."""
    with pytest.raises(UsageError) as error:
        record(small, stage, field, value, **FROM)
    assert message in str(error.value)
    assert small.read_text() == SMALL


def test_a_probe_is_recorded(tmp_path, small):
    """Step time, rate and memory become measured, all else follows; unknown keys are of no concern."""
    (tmp_path / "probe.json").write_text(json.dumps(PROBE))
    budget = record_probe(small, read_probe(tmp_path / "probe.json"))
    marks = {name: figure.mark for name, figure in budget.figures.items() if figure.mark != "estimated"}
    assert marks == {
        "sft.vram": "measured",
        "sft.step_time": "measured",
        "sft.samples_per_s": "measured",
        "sft.time_per_epoch": "projected",
        "sft.gpu_hours": "projected",
    }
    assert budget.figures["sft.gpu_hours"].quantity.in_unit("GPU-h") == pytest.approx((15.0, 15.0), rel=1e-5)
    assert budget.figures["sft.vram"].entry.source == "probe of 100 steps"
    assert budget.figures["sft.step_time"].entry.was == "115.2 s"


def test_what_was_there_before_is_that_before_the_whole_probe(tmp_path):
    """A rate that follows from the step time recorded just before it still says what was estimated."""
    path = tmp_path / "budget.yaml"
    path.write_text(SHIPPED.read_text())
    figures = record_probe(path, PROBE).figures
    assert (figures["sft.step_time"].entry.was, figures["sft.samples_per_s"].entry.was) == (
        "115.2 s",
        "0.2778 samples/s",
    )


HERE = {"machine": "linux-x86_64-2cores-gpu:none"}
ON_CPU = [
    {"device": "cpu"},
    HERE,
    {"device_peak_bytes": None},
    {"device": "cpu", **HERE, "device_peak_bytes": None},
]
CPU_CARD = (("A100 40GB: {memory: 40 GB", "CPU: {memory: 40 GB"), ("gpu: A100 40GB", "gpu: CPU"))


@pytest.mark.parametrize("words", ON_CPU)
def test_a_probe_of_a_cpu_is_no_measurement_of_gpu_hours(small, words):
    """Whichever of its words says so: refused with the machine and the cards that are wanted, the file as it was."""
    machine = words.get("machine", PROBE["machine"])
    with pytest.raises(
        UsageError, match=rf"probe.json: The probe ran on a CPU \({machine}\).*'sft' .* A100 40GB"
    ):
        record_probe(small, PROBE | words, name="probe.json")
    assert small.read_text() == SMALL
    assert "make no GPU-hours" in why_not_recorded(small, PROBE | words)


@pytest.mark.parametrize("words", ON_CPU)
def test_a_stage_that_is_planned_on_a_cpu_takes_a_probe_of_one(small, words):
    """Its first card is a CPU; memory of the process is the host's, vram stays an estimate, nothing contradicts."""
    small.write_text(changed(*CPU_CARD))
    assert why_not_recorded(small, PROBE | HERE | words) == ""
    budget = record_probe(small, PROBE | HERE | words | {"device_peak_bytes": None})
    assert (budget.figures["sft.vram"].mark, budget.figures["sft.step_time"].mark) == (
        "estimated",
        "measured",
    )
    assert budget.figures["sft.ram"].quantity.in_unit("GB") == (28.4, 28.4)
    assert [one for one in budget.findings if one.check == "measurements"] == []


def test_a_cpu_among_other_cards_is_not_the_one_that_is_charged(small):
    """Only the first card counts: its price is that of the hours."""
    cards = "A100 40GB: {memory: 40 GB, price: 2 USD/GPU-h}"
    both = (cards, f"{cards}\n  CPU: {{memory: 40 GB, price: 0 USD/GPU-h}}")
    small.write_text(changed(both, ("gpu: A100 40GB", "gpu: [A100 40GB, CPU]")))
    assert why_not_recorded(small, PROBE | HERE)


def test_a_probe_that_names_its_gpu_is_taken_at_its_word(small):
    """The device decides before the machine, which knows only what was in use when it was asked."""
    budget = record_probe(
        small, PROBE | HERE | {"device": "NVIDIA A100-SXM4-40GB", "device_peak_bytes": 31e9}
    )
    assert budget.figures["sft.step_time"].mark == "measured"


def test_a_probe_with_a_gpu_gives_both_memories(small):
    """device_peak_bytes is the GPU's, peak_bytes the host's."""
    budget = record_probe(small, PROBE | {"device_peak_bytes": 31_000_000_000})
    assert budget.figures["sft.vram"].quantity.in_unit("GB") == (31.0, 31.0)
    assert budget.figures["sft.ram"].quantity.in_unit("GB") == (28.4, 28.4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step_s": 0}, "step_s is 0"),
        ({"step_s": -1.0}, "step_s is -1.0"),
        ({"step_s": float("nan")}, "step_s is nan"),
        ({"step_s": float("inf")}, "step_s is inf"),
        ({"step_s": 10**400}, "step_s is 1"),
        ({"step_s": "2 s"}, "step_s is '2 s'"),
        ({"step_s": True}, "step_s is True"),
        ({"step_s": None, "peak_bytes": None, "samples_per_s": None}, "measured nothing"),
        ({"stage": ""}, "'stage' is missing, or not a text. Give it with --stage"),
        ({"stage": "sfd"}, "Did you mean 'sft'"),
        ({"machine": None}, "'machine' is missing"),
        ({"date": "yesterday"}, "is no date"),
    ],
)
def test_a_probe_that_measured_nothing_is_refused_whole(small, change, message):
    """No number is made from nothing, and nothing of a bad probe is written."""
    with pytest.raises(UsageError) as error:
        record_probe(small, PROBE | change, name="probe.json")
    assert message in str(error.value)
    assert small.read_text() == SMALL


@pytest.mark.parametrize("text", ["", "[1]", "{", "3", "[" * 20_000])
def test_a_file_that_is_no_probe_is_refused(tmp_path, text):
    """Anything but a JSON object is a UsageError that names the file."""
    (tmp_path / "probe.json").write_text(text)
    with pytest.raises(UsageError, match=r"probe\.json"):
        read_probe(tmp_path / "probe.json")


def test_the_shipped_budget_takes_a_probe_and_the_rft_stage_follows(tmp_path):
    """SFT at half its estimate: RFT is projected from it at 5–8×, and the contradiction about its hours is gone."""
    path = tmp_path / "budget.yaml"
    path.write_text(SHIPPED.read_text())
    budget = record_probe(path, PROBE)
    rft = budget.figures["rft.gpu_hours"]
    assert rft.mark == "projected"
    assert rft.quantity.in_unit("GPU-h") == pytest.approx((37.5, 60.0), rel=1e-5)
    assert not [one for one in budget.findings if one.check == "relative_costs"]
    comments = [line for line in SHIPPED.read_text().splitlines() if "#" in line]
    assert [line for line in path.read_text().splitlines() if "#" in line] == comments
    planned = [
        budget.figures[f"{stage}.planning_budget"].quantity.in_unit("GPU-h") for stage in ("sft", "rft")
    ]
    assert planned[0] == pytest.approx((20.0, 21.0), rel=1e-5)
    assert planned[1] == pytest.approx((41.25, 66.0), rel=1e-5)


def test_a_measured_rft_step_wins_over_what_sft_says():
    """The first projection that rests on a measurement is used: its own steps before another stage's."""
    step = "step_time: {value: 90 s, mark: measured, source: probe, date: 2026-11-21}"
    text = changed(("step_time: = gpu_hours / gpus / steps", step), text=SHIPPED.read_text())
    rft = parse_budget(text, "budget.yaml").figures["rft.gpu_hours"]
    assert rft.mark == "projected"
    assert rft.quantity.in_unit("GPU-h") == (125.0, 125.0)


BEFORE = read_budget(SHIPPED)
FIELDS = [f"{stage}.{field}" for stage in ("sft", "rft") for field in BEFORE.plan.stages[stage].fields]


@pytest.mark.parametrize("name", FIELDS)
def test_any_figure_can_be_recorded_and_nothing_else_moves(tmp_path, name):
    """Whatever its form in the file, it becomes the measured value; every other entry and comment stays."""
    path = tmp_path / "budget.yaml"
    path.write_text(SHIPPED.read_text())
    stage, _, field = name.partition(".")
    unit = STAGE_FIELDS[field].unit
    after = record(path, stage, field, f"7 {unit}".strip(), **FROM)
    assert after.figures[name].mark == "measured"
    assert after.figures[name].quantity.in_unit(unit) == (7.0, 7.0)
    for other, figure in BEFORE.figures.items():
        if other != name:
            now = after.figures[other].entry
            assert (now.literal, now.mark, now.assumed) == (
                figure.entry.literal,
                figure.entry.mark,
                figure.entry.assumed,
            )
            assert (now.formula and now.formula.text) == (figure.entry.formula and figure.entry.formula.text)
    comments = [re.sub(r".*#", "#", line) for line in SHIPPED.read_text().splitlines() if "#" in line]
    assert [re.sub(r".*#", "#", line) for line in path.read_text().splitlines() if "#" in line] == comments
