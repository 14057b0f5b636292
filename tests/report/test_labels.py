"""Names of controllers in figures: written in full, and inside the picture."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from kit.report import style
from kit.report.comparison import draw_comparison
from kit.report.queue_and_delay import draw_queue_and_delay
from tests.report.made import results, write_json

NAMES = {
    "max-pressure": "max-pressure, hysteresis 1",
    "best fixed time": "best max-pressure, hysteresis 1",
    "fixed 30/30": "webster 41/12/36/11",
}
"""Names that the scenarios give their baselines."""


@pytest.fixture
def drawn(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The two figures of a run whose baselines have long names, as they are before they reach the disk."""
    raw = results()["evaluation"]
    for one in (*raw["controllers"], *raw["series"]):
        key = "name" if "name" in one else "controller"
        one[key] = NAMES.get(one[key], one[key])
    write_json(run_dir / "results.json", {"evaluation": raw})
    figures: list[Figure] = []
    save = style.save
    monkeypatch.setattr(style, "save", lambda figure, path: (figures.append(figure), save(figure, path))[1])
    assert draw_comparison(run_dir)
    assert draw_queue_and_delay(run_dir)
    return figures


def texts(figure: Figure) -> list[Text]:
    """Every text of a figure that is to be seen."""
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def test_every_name_is_written_in_full(drawn: list[Figure]) -> None:
    """No name ends in dots; a long one may take two lines."""
    for figure in drawn:
        said = {" ".join(text.get_text().split()) for text in texts(figure)}
        assert {"dqn", *NAMES.values()} <= said
        assert not [text for text in said if text.endswith("…")]


def test_no_text_leaves_the_picture(drawn: list[Figure]) -> None:
    """Each lies within the canvas, so that nothing of it is cut off."""
    for figure in drawn:
        wide, high = figure.canvas.get_width_height()
        for text in texts(figure):
            box = text.get_window_extent()
            assert box.x0 >= 0, text
            assert box.y0 >= 0, text
            assert box.x1 <= wide, text
            assert box.y1 <= high, text


def test_names_of_rows_do_not_lie_on_one_another(drawn: list[Figure]) -> None:
    """Also where they take two lines."""
    labels = [label.get_window_extent() for label in drawn[0].axes[0].get_yticklabels()]
    for one in labels:
        assert not [other for other in labels if other is not one and one.overlaps(other)]


def test_a_name_is_broken_at_a_space_once() -> None:
    """What does not fit two lines is cut, and what has no space too."""
    assert style.wrapped("max-pressure, hysteresis 1", 20) == "max-pressure,\nhysteresis 1"
    assert style.wrapped("webster 41/12/36/11", 20) == "webster 41/12/36/11"
    assert style.wrapped("x" * 30, 20) == "x" * 19 + "…"
    assert style.wrapped("one two three four", 8) == "one two\nthree f…"
