import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.timing.budget import parse_budget, read_budget
from kit.timing.budget.entry import MARKS
from kit.timing.budget.fields import COMMON, KINDS
from kit.timing.budget.units import COUNTED, CURRENCIES
from tests.timing.budget.made import SHIPPED, SMALL, changed, made


@pytest.mark.parametrize(
    ("change", "message", "nearest"),
    [
        (("value: 10 h  #", "value: 10 hrs  #"), "line 21, sft.time_per_epoch: Unknown unit 'hrs'", "hours"),
        (("value: 10 h  #", "value: 10 GB  #"), "line 21, sft.time_per_epoch: It is a size", None),
        (("value: 10 h  #", "value: 10  #"), "line 21, sft.time_per_epoch: '10' has no unit", None),
        (("vram: 30 GB", "vram: -30 GB"), "line 15, sft.vram: '-30 GB' is negative", None),
        (("vram: 30 GB", "vram:"), "line 15, sft.vram: It has no value", None),
        (("vram: 30 GB", "vrm: 30 GB"), "line 15, sft.vrm: Unknown figure 'vrm'", "vram"),
        (("    epochs: 3\n", ""), "line 10, sft: epochs (epochs) is missing", "epochs"),
        (("epochs: 3", "epochs: 3 samples"), "sft.epochs: It counts 'samples'", None),
        (("batch_size: 8", "batch_size: 8.5"), "sft.batch_size: Batch size on each GPU are whole", None),
        (("seeds: 2", "seeds: unknown"), "line 3, plan.seeds: It cannot be 'unknown'", None),
        (("contingency: 0 %", "contingency: 15"), "line 4, plan.contingency: '15' has no unit", None),
        (("kind: training", "kind: trainng"), "line 11, sft.kind: Unknown kind 'trainng'", "training"),
        (("group: core", "group: cores"), "line 12, sft.group: Unknown group 'cores'", "core"),
        (("gpu: A100 40GB", "gpu: A100 80GB"), "line 13, sft.gpu: Unknown card 'A100 80GB'", "A100 40GB"),
        (("stages:", "stagse:"), "line 9, stagse: Unknown section 'stagse'", "stages"),
        (("    kind: training\n", ""), "sft: kind is missing", "kind"),
        (("ablation, online]", "ablation]"), "plan: No stage is of the group 'online'", None),
        (("[one_time, ", "[core, one_time, "), "plan.without: There are stages of the group 'core'", None),
        (("storage: 20 GB", "storage: 20 GB\n    storage: 30 GB"), "line 29, sft.storage: It is there twice", None),
        (("storage: 20 GB", "storage: &s 20 GB"), "line 28: Anchors", None),
        (("storage: 20 GB", "storage: [20 GB"), "It is not YAML", None),
        (("storage: 20 GB", "storage: [20 GB]"), "line 28, sft.storage: A list is no figure", None),
        (("storage: 20 GB", "storage: {value: 20 GB, mrk: measured}"), "Unknown key 'mrk'", "mark"),
        (("storage: 20 GB", "storage: {value: 20 GB, mark: measurd}"), "Unknown mark 'measurd'", "measured"),
        (("storage: 20 GB", "storage: {value: 20 GB, mark: measured}"), "source and date", None),
        (
            ("storage: 20 GB", "storage: {value: 20 GB, mark: measured, source: a, date: 21.11.2026}"),
            "is no date",
            None,
        ),
        (("price: 2 USD/GPU-h", "price: 2 USD"), "cards.A100 40GB.price: It is USD and has the wrong unit", None),
        (("dataset_size: 10,000", "dataset_size: 0"), "sft.dataset_size: Samples or prompts: more than zero", None),
        (("session: 12 h", "session: 0 h"), "kaggle.session: A session: more than zero", None),
        (("= time_per_epoch * epochs * gpus", "0 GPU-h"), "sft.gpu_hours: GPU-hours of a run: more than", None),
    ],
)  # fmt: skip
def test_an_error_names_file_line_figure_and_the_nearest(change, message, nearest):
    """Wrong units, negative, missing, unknown and doubled things are refused, each where it stands."""
    with pytest.raises(UsageError) as error:
        made(change)
    assert str(error.value).startswith("budget.yaml")
    assert message in str(error.value)
    assert error.value.nearest == nearest


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (
            "= time_per_epoch * epochs",
            "sft.gpu_hours: It is a time and has the wrong unit: GPU-hours is wanted",
        ),
        ("= time_per_epoch + vram", "a size cannot be added to a time"),
        ("= time_per_epoc * epochs * gpus", "Unknown figure 'time_per_epoc'. Did you mean 'time_per_epoch'"),
        ("= rft.gpu_hours", "Unknown figure 'rft.gpu_hours'"),
        ("= 10 GPU-h - planning_budget", "no figure of a budget is negative"),
        ("= planning_budget / (epochs - 3)", "Division by zero"),
    ],
)
def test_a_formula_that_cannot_be_is_refused_with_its_place(formula, message):
    """Unlike dimensions, unknown names, negative results and division by zero name the figure."""
    with pytest.raises(UsageError) as error:
        made(("= time_per_epoch * epochs * gpus", formula))
    assert str(error.value).startswith("budget.yaml, line 26, sft.gpu_hours")
    assert message in str(error.value)


def test_a_circle_is_named_in_order():
    """Each figure of the circle needs the next; the first stands at the end again."""
    with pytest.raises(UsageError) as error:
        made(
            ("effective_batch: 32", "effective_batch: = accumulation * storage / storage"),
            ("accumulation: 4", "accumulation: = effective_batch / batch_size"),
        )
    text = str(error.value)
    assert "line 17, sft.accumulation: A circular formula" in text or "line 18, sft.effective_batch" in text
    names = text.partition("formula: ")[2].rstrip(".").split(" → ")
    assert names[0] == names[-1]
    assert set(names) == {"sft.accumulation", "sft.effective_batch"}


def test_a_figure_that_needs_itself_is_a_circle():
    """The shortest circle there is."""
    with pytest.raises(UsageError, match=r"sft\.storage → sft\.storage"):
        made(("storage: 20 GB", "storage: = storage * 2"))


def test_nothing_follows_from_what_is_unknown():
    """A formula over an unknown figure is refused, not taken as zero."""
    with pytest.raises(UsageError, match=r"sft\.storage: = vram \* 2: vram is unknown"):
        made(("vram: 30 GB", "vram: unknown"), ("storage: 20 GB", "storage: = vram * 2"))


def test_prices_in_two_currencies_are_refused():
    """They cannot be added up without a rate."""
    with pytest.raises(UsageError, match=r"cards: Prices in several currencies .* EUR .* USD"):
        made(("cards:\n", "cards:\n  T4: {memory: 16 GB, price: 1 EUR/GPU-h}\n"))


@pytest.mark.parametrize(
    "text", ["", "[]", "a", "? [a]\n: b", "a: *b", "\t", "stages: {}", "[" * 5000, "\x00", "plan: 3"]
)
def test_what_is_no_budget_is_refused(text):
    """Anything that is not a mapping of sections is a UsageError with the file's name."""
    with pytest.raises(UsageError, match=r"budget\.yaml"):
        parse_budget(text, "budget.yaml")


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    """Missing files, folders and bytes that are no UTF-8 are named."""
    (tmp_path / "bytes.yaml").write_bytes(b"plan: \xff\xfe")
    for name, message in (("none.yaml", "No such file"), (".", "directory"), ("bytes.yaml", "not UTF-8")):
        with pytest.raises(UsageError, match=message):
            read_budget(tmp_path / name)


def test_every_single_deletion_of_a_line_is_a_budget_or_an_error_with_a_place():
    """No half-written file makes a number out of nothing: a line less is noticed, or was not needed."""
    lines = SMALL.splitlines(keepends=True)
    accepted, said = [], []
    for at in range(len(lines)):
        try:
            parse_budget("".join(lines[:at] + lines[at + 1 :]), "budget.yaml")
        except UsageError as error:
            said.append(str(error))
        else:
            accepted.append(lines[at].strip())
    assert all(text.startswith("budget.yaml") for text in said)
    not_needed = ("# a comment", "projection:", "step_time:")
    assert all(line.startswith(not_needed) for line in accepted), accepted


@given(
    st.integers(0, len(SMALL) - 1),
    st.integers(0, 40),
    st.text(alphabet="0-9.,:%{}[]#&*!|>=\"'\n abGPUh/", max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_a_damaged_budget_is_a_budget_or_a_usage_error(at: int, length: int, text: str) -> None:
    """Whatever is cut out of a file or typed into it, nothing but UsageError is raised, and it names the file."""
    damaged = SMALL[:at] + text + SMALL[at + length :]
    try:
        parse_budget(damaged, "budget.yaml").as_json()
    except UsageError as error:
        message = str(error)
    else:
        message = "budget.yaml"
    assert message.startswith("budget.yaml")


def test_long_figures_read_like_short_ones():
    """A value in braces or over several lines is the same value."""
    short, braces = made(), made(("vram: 30 GB", 'vram: {value: 30 GB, source: "a table"}'))
    lines = made(("vram: 30 GB", "vram:\n      value: 30 GB\n      source: a table\n     "))
    assert (
        short.figures["sft.vram"].quantity
        == braces.figures["sft.vram"].quantity
        == lines.figures["sft.vram"].quantity
    )
    assert changed(("vram: 30 GB", "vram: 30 GB")) == SMALL


def test_the_page_about_budgets_names_kinds_units_and_marks_as_they_are():
    """docs/budget.md lists what each kind of stage must give, every unit that is counted, and the three marks."""
    page = (SHIPPED.parent / "docs" / "budget.md").read_text()
    for kind, required in KINDS.items():
        own = " ".join(name for name in required if name not in COMMON)
        assert f"| `{kind}` | `{own}` |" in page
    assert all(word in page for word in (*COUNTED, *CURRENCIES, *COMMON))
    assert [word for word in MARKS if f"| *{word}* |" in page] == list(MARKS)
