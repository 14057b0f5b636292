"""Values in the parameters cell: exactly those, and nothing else of the cell changes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.notebooks.parameters import read_parameters
from kit.remote.parameter_cell import with_values

SOURCE = """steps = 24_000  # größe
name: str = "a"; rate = 0.5  # two on a line
layers = [
    64,  # wide
    64,
]
label = None
"""
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "steps": st.integers(),
        "name": TEXTS,
        "rate": st.floats(allow_nan=False, allow_infinity=False),
        "layers": st.lists(st.integers(), max_size=3),
        "label": st.none() | TEXTS | st.dictionaries(TEXTS, st.booleans(), max_size=2),
    },
)


@given(VALUES)
def test_what_is_set_is_read_back_and_the_rest_keeps_its_default(tmp_path_factory, values):
    """The notebook's own reader finds the values, of the same types."""
    path = tmp_path_factory.mktemp("cell") / "n.ipynb"
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": with_values(SOURCE, values)}
    path.write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    defaults = {"steps": 24_000, "name": "a", "rate": 0.5, "layers": [64, 64], "label": None}
    found = {name: parameter.default for name, parameter in read_parameters(path).items()}
    assert found == {**defaults, **values}


def test_comments_and_layout_stay():
    """Only the literal is replaced, behind letters of two bytes too."""
    assert with_values(SOURCE, {"rate": 1.5}) == SOURCE.replace("0.5", "1.5")
    assert with_values(SOURCE, {"steps": 7}).splitlines()[0] == "steps = 7  # größe"
    assert with_values(SOURCE, {}) == SOURCE


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("odd", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028"])
def test_only_what_python_ends_a_line_at_is_one(odd, end):
    """A form feed in a comment, or another separator in a text, moves nothing."""
    source = f"steps = 1  # a{odd}b{end}name = 'x{odd}y'{end}rate = 0.5{end}"
    assert with_values(source, {"rate": 1.5}) == source.replace("0.5", "1.5")
    assert (
        with_values(source, {"steps": 7, "name": "z"})
        == f"steps = 7  # a{odd}b{end}name = 'z'{end}rate = 0.5{end}"
    )


def test_what_cannot_be_read_back_is_refused():
    """A name that the cell does not set, or a value that is no literal, makes no other cell silently."""
    with pytest.raises(UsageError, match="cannot be given these values: other"):
        with_values(SOURCE, {"other": 1})
    with pytest.raises(UsageError, match="cannot be given these values"):
        with_values(SOURCE, {"rate": float("inf")})
