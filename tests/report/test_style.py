import itertools

from hypothesis import given
from hypothesis import strategies as st

from kit.report.style import AGENT, colours_of, plain, spread


@given(st.lists(st.floats(0, 10), min_size=1, max_size=12), st.floats(0.05, 3))
def test_labels_never_cover_each_other(wanted: list[float], gap: float) -> None:
    """Labels keep their order and their room, and stay inside, however close their lines end."""
    placed = spread(wanted, gap, 0.0, 10.0)
    possible = min(gap, 10.0 / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    ranked = [placed[index] for index in order]
    assert all(after - before >= possible - 1e-9 for before, after in itertools.pairwise(ranked))
    assert min(placed) >= -1e-9
    assert max(placed) <= 10 + 1e-9


def test_labels_that_have_room_stay() -> None:
    """A label moves only where another is in its way."""
    assert spread([1.0, 5.0, 9.0], 1.0, 0.0, 10.0) == [1.0, 5.0, 9.0]


def test_the_agent_has_its_colour_in_every_figure() -> None:
    """The agent is blue, nobody else is, and another's colour does not change with the company."""
    colours = colours_of(["timer", "dqn", "webster"], "dqn")
    assert colours["dqn"] == AGENT
    assert AGENT not in (colours["timer"], colours["webster"])
    assert colours_of(["timer", "dqn"], "dqn")["timer"] == colours["timer"]


def test_names_are_drawn_as_text() -> None:
    """A name is never mathematics, never a line break, never longer than its place."""
    assert plain("cost in $") == r"cost in \$"
    assert plain("two\nlines\t") == "two lines"
    assert plain("信号") == "??"
    assert len(plain("x" * 200)) == 40
