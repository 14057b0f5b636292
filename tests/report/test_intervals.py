import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.report.intervals import Interval, mean_interval, t_quantile


@pytest.mark.parametrize(
    ("freedom", "tabled"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (9, 2.2622), (19, 2.0930), (199, 1.9720)]
)
def test_quantiles_of_t_are_those_of_the_tables(freedom: int, tabled: float) -> None:
    """The 97.5 % quantile agrees with the printed tables to their last digit."""
    assert t_quantile(0.975, freedom) == pytest.approx(tabled, abs=6e-5)


def test_interval_by_hand() -> None:
    """Mean ± t·s/√n of 1, 2, 3, 4: 2.5 ± 3.1824 · 1.2910 / 2."""
    interval = mean_interval([1.0, 2.0, 3.0, 4.0, math.nan])
    assert (interval.mean, interval.n) == (2.5, 4)
    assert interval.high - 2.5 == pytest.approx(3.182446 * 1.290994 / 2, abs=1e-5)


def test_one_value_has_no_interval() -> None:
    """From one measurement nothing is claimed, so zero is not excluded."""
    interval = mean_interval([5.0])
    assert interval.mean == 5.0
    assert not interval.known
    assert interval.has_zero


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_the_mean_lies_in_its_interval(values: list[float]) -> None:
    """Whatever the measurements, low ≤ mean ≤ high, and turning the sign turns the interval."""
    interval = mean_interval(values)
    assert interval.low <= interval.mean <= interval.high
    assert interval.reversed() == Interval(-interval.mean, -interval.high, -interval.low, interval.n)
