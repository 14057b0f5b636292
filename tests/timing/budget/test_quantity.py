import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.timing.budget.quantity import Quantity, parse_quantity, plain
from kit.timing.budget.show import digits, show


@pytest.mark.parametrize(
    ("text", "unit", "low", "high"),
    [
        ("10 h", "h", 10, 10),
        ("90 min", "h", 1.5, 1.5),
        ("150-200 GPU-h", "GPU-h", 150, 200),
        ("150–200 GPU-h", "GPU-h", 150, 200),
        ("150 to 200 GPU-h", "GPU-h", 150, 200),
        ("10,000 samples", "samples", 10_000, 10_000),
        ("7e9 params", "Gparams", 7, 7),
        ("30 GB", "GiB", 27.9396772385, 27.9396772385),
        ("2.5 GPU-h", "GPU-h", 2.5, 2.5),
        ("15 %", "%", 15, 15),
        ("0.4 USD/GPU-h", "USD/GPU-h", 0.4, 0.4),
        ("3.6 s/sample", "s", 3.6, 3.6),
        ("12", "", 12, 12),
    ],
)
def test_quantities_are_read_with_their_units(text, unit, low, high):
    """Numbers, ranges, thousands and compound units mean what they say."""
    assert parse_quantity(text).in_unit(unit) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-5 h", "negative"),
        ("5--3 h", "negative"),
        ("8-5 x", "from high to low"),
        ("10 hh", "Unknown unit 'hh'. Did you mean 'h'"),
        ("30 gb", "Did you mean 'GB'"),
        ("2 GPU-hrs", "Did you mean 'GPU-h"),
        ("0.4 USD/GPUh", "Unknown unit 'GPUh'. Did you mean 'GPU"),
        ("1,5 h", "no quantity"),
        ("ten hours", "no quantity"),
        ("nan h", "no quantity"),
        ("1e999 h", "not finite"),
        ("", "no quantity"),
    ],
)
def test_what_is_no_quantity_is_refused(text, message):
    """Unknown units come with the nearest; negative, infinite and descending values are refused."""
    with pytest.raises(UsageError) as error:
        parse_quantity(text)
    assert message in str(error.value)


def test_unlike_dimensions_are_not_added():
    """A time and a size have no sum."""
    with pytest.raises(UsageError, match="a size cannot be added to a time"):
        parse_quantity("1 h") + parse_quantity("1 GB")


def test_division_by_a_range_with_zero_is_refused():
    """Such a quotient has no end."""
    with pytest.raises(UsageError, match="zero"):
        parse_quantity("1 h") / plain(0.0, 1.0)


RANGES = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(lambda two: plain(min(two), max(two)))


@given(RANGES, RANGES, st.floats(0, 1), st.floats(0, 1))
def test_every_result_lies_in_the_interval(one: Quantity, two: Quantity, here: float, there: float) -> None:
    """Whatever value each operand takes within its range, sum, difference and product lie in the result's."""
    a = min(one.low + here * (one.high - one.low), one.high)
    b = min(two.low + there * (two.high - two.low), two.high)
    for result, value in ((one + two, a + b), (one - two, a - b), (one * two, a * b)):
        slack = 1e-9 * (1 + abs(value) + abs(a) + abs(b) + abs(result.low) + abs(result.high))
        assert result.low - slack <= value <= result.high + slack


@given(st.floats(1e-6, 1e12))
def test_what_is_shown_reads_back(value: float) -> None:
    """A number written with four digits is within half of the last one of itself."""
    assert float(digits(value).replace(",", "")) == pytest.approx(value, rel=6e-4)


def test_a_range_that_reads_the_same_is_one_number():
    """Both ends are shown only where they differ in what is shown."""
    assert show(plain(1.0, 1.00001), "x") == "1×"
    assert show(parse_quantity("5-8 x"), "x") == "5–8×"
    assert show(parse_quantity("150-200 GPU-h"), "GPU-h") == "150–200 GPU-h"
