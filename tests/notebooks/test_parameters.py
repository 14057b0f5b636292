from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papermill.translators import PythonTranslator

from kit.errors import UnknownNameError, UsageError
from kit.notebooks import Parameter, parse_settings, read_parameters
from kit.notebooks.locate import repository_root
from kit.notebooks.parameters import check_values, is_portable

PARAMETERS = {
    name: Parameter(name, default, type(default))
    for name, default in {
        "steps": 24_000,
        "rate": 1e-3,
        "scenario": "cologne1",
        "quick_test": False,
        "label": None,
        "sizes": [64, 64],
        "options": {"a": 1},
    }.items()
}


def test_parameters_come_with_default_type_and_help(fixture_notebook: Callable[[str], Path]) -> None:
    """Each assignment of the parameters cell becomes a parameter; the comment behind it is its help."""
    read = read_parameters(fixture_notebook("completes"))
    assert list(read) == ["steps", "rate", "scenario", "quick", "label", "sizes"]
    assert read["steps"] == Parameter("steps", 24_000, int, "environment steps")
    assert read["sizes"] == Parameter("sizes", [64, 64], list, "")
    assert read["label"].type is type(None)


def test_annotated_negative_and_multiline_literals_are_read(make_notebook: Callable[..., Path]) -> None:
    """An annotation, a sign and a value over several lines do not hide a parameter."""
    source = 'low: float = -0.5  # lowest\nhash_in_text = "a # b"\n'
    source += 'many = {\n    "a": [1, 2],  # inner\n}  # outer\n'
    read = read_parameters(make_notebook(source))
    assert read["low"] == Parameter("low", -0.5, float, "lowest")
    assert read["hash_in_text"] == Parameter("hash_in_text", "a # b", str, "")
    assert read["many"] == Parameter("many", {"a": [1, 2]}, dict, "outer")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("two_parameters_cells", r"2 cells tagged 'parameters' \(0, 1\)"),
        ("no_parameters_cell", "no cell tagged 'parameters'"),
        ("computed_parameter", "line 2: the default of 'rate' is no literal: 1 / steps"),
    ],
)
def test_a_notebook_without_one_cell_of_literals_is_refused(
    fixture_notebook: Callable[[str], Path], name: str, says: str
) -> None:
    """No parameters cell, two of them, and a computed default are each an error that says where."""
    with pytest.raises(UsageError, match=says):
        read_parameters(fixture_notebook(name))


@pytest.mark.parametrize(
    "source",
    [
        "a = 1\na = 2",
        "a = b = 1",
        "a, b = 1, 2",
        "import os",
        "a = (1, 2)",
        "a = {1: 2}",
        "a = 1e999",
        "a = b'bytes'",
        "a: int",
        "a = = 1",
        "print(1)",
    ],
)
def test_what_cannot_be_handed_over_is_refused_in_the_parameters_cell(
    make_notebook: Callable[..., Path], source: str
) -> None:
    """Only single assignments of literals that reach the kernel unchanged count as parameters."""
    with pytest.raises(UsageError, match="cell 0"):
        read_parameters(make_notebook(source))


def test_an_executed_copy_is_refused(make_notebook: Callable[..., Path]) -> None:
    """Running the output of a run, whose injected values would silently stand, is an error."""
    injected = {"cell_type": "code", "metadata": {"tags": ["injected-parameters"]}, "source": "a = 2"}
    with pytest.raises(UsageError, match="executed copy"):
        read_parameters(make_notebook("a = 1", injected))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"nbformat": 3, "worksheets": []}', '{"cells": [1], "nbformat": 4}']
)
def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path, text: str) -> None:
    """Broken JSON, other JSON and old formats are usage errors, not tracebacks."""
    path = tmp_path / "broken.ipynb"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"broken\.ipynb is not a notebook"):
        read_parameters(path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("steps=24_000", 24_000),
        ("steps=2e6", 2_000_000),
        ("steps= -3 ", -3),
        ("rate=1", 1.0),
        ("rate=3e-4", 3e-4),
        ("scenario=varying", "varying"),
        ("scenario=counts=1.csv", "counts=1.csv"),
        ("scenario=", ""),
        ("quick_test=true", True),
        ("quick_test=No", False),
        ("quick_test=1", True),
        ("label=None", None),
        ('label="text"', "text"),
        ("label=3", 3),
        ("sizes=[128]", [128]),
        ('options={"b": [1, True]}', {"b": [1, True]}),
    ],
)
def test_text_becomes_a_value_of_the_parameters_type(setting: str, value: object) -> None:
    """A setting is read as the type of the default, in the ways people write it."""
    read = parse_settings([setting], PARAMETERS)[setting.partition("=")[0]]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("setting", "wants"),
    [
        ("steps=many", "wants int, for example steps=24_000"),
        ("steps=0.5", "wants int"),
        ("steps=1e400", "wants int"),
        ("steps=nan", "wants int"),
        ("steps=", "wants int"),
        ("rate=fast", "wants float, for example rate=0.5"),
        ("rate=nan", "wants float"),
        ("rate=inf", "wants float"),
        ("quick_test=2", "wants bool, for example quick_test=true"),
        ("quick_test=ture", "wants bool"),
        ("label=bare words", "wants any literal"),
        ("sizes=64", "wants list"),
        ("sizes=(64,)", "wants list"),
        ("options=[1]", "wants dict"),
        ("options=" + "[" * 10_000, "wants dict"),
    ],
)
def test_a_mistyped_value_names_parameter_type_and_example(setting: str, wants: str) -> None:
    """A value of another type is an error that names the parameter and shows a legal value."""
    name = setting.partition("=")[0]
    with pytest.raises(UsageError, match=wants) as caught:
        parse_settings([setting], PARAMETERS)
    assert f"Parameter {name!r}" in str(caught.value)


def test_an_unknown_setting_is_answered_with_the_nearest() -> None:
    """A misspelt parameter is an error that names the nearest: it does not train on the defaults."""
    with pytest.raises(UnknownNameError, match="'step'") as caught:
        parse_settings(["step=100"], PARAMETERS)
    assert caught.value.nearest == "steps"
    assert caught.value.legal == sorted(PARAMETERS)


@pytest.mark.parametrize("given_settings", [["steps"], ["=3"], ["steps=1", "steps=2"]])
def test_settings_that_say_nothing_clear_are_refused(given_settings: list[str]) -> None:
    """No equals sign, no name, and one name twice are errors."""
    with pytest.raises(UsageError):
        parse_settings(given_settings, PARAMETERS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", True),
        ("steps", 1.0),
        ("steps", "1"),
        ("rate", "x"),
        ("rate", float("nan")),
        ("scenario", 1),
        ("quick_test", 1),
        ("sizes", (1,)),
        ("options", {1: 2}),
        ("label", object()),
        ("label", [float("inf")]),
    ],
)
def test_values_handed_over_in_code_are_checked_too(name: str, value: object) -> None:
    """A caller that skips the command line cannot slip in a value of another type."""
    with pytest.raises(UsageError, match=name):
        check_values({name: value}, PARAMETERS)


def test_an_int_serves_where_a_float_is_wanted() -> None:
    """A whole number for a float parameter arrives as a float."""
    assert type(check_values({"rate": 1}, PARAMETERS)["rate"]) is float


PORTABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(PORTABLE)
def test_what_counts_as_portable_survives_papermills_translation(value: Any) -> None:
    """The code that papermill injects for a portable value evaluates to that value, type for type."""
    assert is_portable(value)
    arrived = ast.literal_eval(PythonTranslator.translate(value))
    assert (repr(arrived), arrived) == (repr(value), value)


def test_importing_the_runner_pulls_in_no_jupyter() -> None:
    """The command line starts without papermill, nbformat, zmq or IPython; only the child pays for them."""
    heavy = "papermill nbformat nbclient jupyter_client zmq IPython ipykernel"
    program = f"import sys, kit.notebooks; print([name for name in {heavy.split()} if name in sys.modules])"
    done = run(
        [sys.executable, "-c", program], cwd=repository_root(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
