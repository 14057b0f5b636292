"""Values in the parameters cell: exactly those, and nothing else of the cell changes."""

import json

from hypothesis import given
from hypothesis import strategies as st

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
