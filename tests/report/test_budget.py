import copy
from pathlib import Path

import pytest
from matplotlib.image import imread

from kit.report.budget import budget_document, document_path, write_budget
from kit.report.budget_chart import draw_budget
from kit.report.budget_figures import span
from kit.timing.budget import read_budget

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data():
    """The shipped budget as plain data."""
    return read_budget(ROOT / "budget.yaml").as_json()


def test_the_committed_document_is_what_the_budget_gives(data):
    """COMPUTE_BUDGET.md was made from budget.yaml as it stands: run `validation_cli.py budget budget.yaml`."""
    assert (ROOT / "COMPUTE_BUDGET.md").read_text() == budget_document(data)


def test_every_figure_stands_in_the_document_with_its_mark(data):
    """Each known figure has a row with its value and one of the three marks; what is unknown has none."""
    rows = [line for line in budget_document(data).splitlines() if line.startswith("| ")]
    for stage in data["stages"]:
        for figure in stage["figures"]:
            mark = "–" if figure["mark"] == "unknown" else f"*{figure['mark']}*"
            assert [
                row for row in rows if row.startswith(f"| {figure['meaning']} | {figure['text']} | {mark} |")
            ]


def test_every_finding_stands_in_the_document(data):
    """Contradictions and assumptions in words, what is open by name."""
    document = budget_document(data)
    for finding in data["findings"]:
        assert f"`{finding['place']}`" in document
        if finding["kind"] != "open":
            assert finding["text"].replace("<", "&lt;") in document


def test_words_of_the_author_cannot_break_a_table(data):
    """A pipe, a line break or HTML in a title, a source or a reason is text."""
    changed = copy.deepcopy(data)
    changed["stages"][0]["title"] = "a | b\nc <script>"
    document = budget_document(changed)
    assert "### a \\| b c &lt;script>" in document
    assert "<script" not in document


def test_a_term_that_is_left_out_on_purpose_is_named(data):
    """The page says which part of the formula has no stage, so that nobody takes it for forgotten."""
    assert "Left out on purpose" not in budget_document(data)
    assert "Left out on purpose: Ablations." in budget_document({**data, "without": ["ablation"]})


def test_until_something_is_measured_the_document_asks_for_a_probe(data):
    """A budget of estimates says so; one measured figure ends that."""
    assert "Nothing has been measured yet" in budget_document(data)
    measured = {**data, "marks": data["marks"] | {"measured": 1}}
    assert "Nothing has been measured yet" not in budget_document(measured)


def test_a_budget_without_findings_says_so(data):
    """No contradictions, nothing assumed, nothing open."""
    document = budget_document({**data, "findings": []})
    assert "The checks find none." in document
    assert "## Assumed" not in document
    assert "## Open" not in document


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1493.85, 1850.35, "1,494–1,850 h"),
        (30, 31.5, "30–31.5 h"),
        (72, 72, "72 h"),
        (0, 0, "0 h"),
        (694.5, 694.5, "694.5 h"),
    ],
)
def test_ranges_are_written_with_four_digits(low, high, text):
    """One number where both ends read the same."""
    assert span({"low": low, "high": high}, "h") == text


def test_where_the_document_goes(tmp_path):
    """Beside the budget, to a file, or into a folder."""
    assert document_path(tmp_path / "b.yaml", "") == tmp_path / "COMPUTE_BUDGET.md"
    assert document_path(tmp_path / "b.yaml", "x/y.md") == Path("x/y.md")
    assert document_path(tmp_path / "b.yaml", "new") == Path("new/COMPUTE_BUDGET.md")
    assert document_path(tmp_path / "b.yaml", str(tmp_path)) == tmp_path / "COMPUTE_BUDGET.md"


def test_the_document_is_written_into_a_folder_that_is_made(data, tmp_path):
    """It is there whole, as text."""
    path = write_budget(data, tmp_path / "deep" / "er.md")
    assert path.read_text() == budget_document(data)


def test_the_chart_is_a_picture_of_the_hours_and_the_same_each_time(data, tmp_path):
    """Blue is in it where there are hours, and two drawings have the same bytes."""
    first, second = draw_budget(data, tmp_path / "a.png"), draw_budget(data, tmp_path / "b.png")
    assert first.read_bytes() == second.read_bytes()
    picture = imread(first)
    assert ((picture[..., 2] - picture[..., 0]) > 0.5).sum() > 1000


def test_a_budget_of_no_hours_can_be_drawn(data, tmp_path):
    """Zero everywhere is no error of division."""
    changed = copy.deepcopy(data)
    for cost in (*(stage["total"] for stage in changed["stages"]), changed["contingency"], changed["total"]):
        cost["gpu_hours"] = cost["planning_gpu_hours"] = {"low": 0.0, "high": 0.0}
    assert draw_budget(changed, tmp_path / "a.png").exists()
    assert "0 GPU-h" in budget_document(changed)
