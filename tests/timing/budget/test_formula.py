import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.timing.budget.formula import parse_formula
from kit.timing.budget.quantity import Quantity, parse_quantity, plain

FIGURES = {"a": plain(2.0), "b": plain(3.0), "c": plain(1.0, 4.0), "sft.hours": parse_quantity("10 h")}


def value(text: str) -> Quantity:
    """The value of a formula over FIGURES."""
    return parse_formula(text).value(FIGURES.__getitem__)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("a + b * 2", 8, 8),
        ("(a + b) * 2", 10, 10),
        ("10 - a - b", 5, 5),
        ("12 / a / b", 2, 2),
        ("-a + b", 1, 1),
        ("c * a", 2, 8),
        ("1 - 1 / (1 + c)", 0.5, 0.8),
        ("1.5e1 % * a", 0.3, 0.3),
    ],
)
def test_formulas_have_the_usual_precedence(text, low, high):
    """Products before sums, from left to right, brackets first; ranges go through."""
    found = value(text)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_numbers_may_have_units():
    """500 GB in a formula is a size, and its product with a count is one, too."""
    assert value("500 GB * a").in_unit("TB") == (1.0, 1.0)
    assert value("sft.hours + 30 min").in_unit("h") == (10.5, 10.5)


@pytest.mark.parametrize(
    "text",
    [
        "", "a +", "(a", "a)", "a b", "a ** b", "a // b", "a; b", "__import__('os')", "a.b.c", "a[0]", "f(a)",
        "lambda: a", "a if b else c", "3 furlongs", "(" * 60 + "a" + ")" * 60, "a+" * 150 + "a", "'a'", "1 2",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text):
    """No Python, no calls, no powers, nothing unfinished, nothing deep or long: a UsageError each time."""
    with pytest.raises(UsageError):
        value(text)


def test_names_are_listed_once_in_order():
    """A formula says which figures it needs."""
    assert parse_formula("b * sft.hours + b / a").names == ("b", "sft.hours", "a")


@given(st.text(alphabet="ab(.)+-*/ 0123456789hGB%e_,'[]{}", max_size=60))
def test_no_text_does_anything_but_evaluate_or_be_refused(text: str) -> None:
    """Whatever stands in a file, reading it ends in a value or in a UsageError."""
    try:
        found = parse_formula(text).value(lambda _name: plain(1.0, 2.0))
    except UsageError:
        return
    assert isinstance(found, type(plain(1.0, 2.0)))
