import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.timing.step_times import StepTimes, quantile, warm_up_steps

TIMES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=200)


def test_the_distribution_is_that_worked_out_by_hand():
    """1, 2, 3, 4, 10 s: mean 4, median 3, tails by interpolation, variation √12.5 / 4."""
    times = StepTimes.of([3.0, 1.0, 10.0, 2.0, 4.0])
    assert times.mean_s == pytest.approx(4.0)
    assert times.median_s == 3.0
    assert times.p5_s == pytest.approx(1.2)  # a fifth of the way from 1 to 2
    assert times.p95_s == pytest.approx(8.8)  # four fifths of the way from 4 to 10
    assert times.cv == pytest.approx(12.5**0.5 / 4)


@pytest.mark.parametrize("times_s", [[], [0.0, 0.0], [float("nan"), 1.0]])
def test_no_times_are_no_distribution(times_s):
    """No steps, steps that took no time, or times that are no numbers are refused."""
    with pytest.raises(UsageError, match="Step times must be seconds"):
        StepTimes.of(times_s)


@given(TIMES, st.floats(0, 1))
def test_a_quantile_lies_among_the_values(times_s, share):
    """Whatever the values, every quantile is between the least and the largest."""
    assert min(times_s) <= quantile(times_s, share) <= max(times_s)


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        ([9.0, 5.0, 3.0, *[1.0] * 20], 3),  # compiling, first allocations
        ([1.0] * 20, 0),
        ([1.0] * 10 + [50.0] + [1.0] * 10, 0),  # a slow step in the middle is part of the work
        ([2.0, *[1.0, 3.0] * 10], 0),  # the first step is no slower than others are
        ([8.0, 4.0, 2.0, 1.0], 2),  # ever faster: half of them at most
        ([4.0], 0),
    ],
)
def test_only_leading_slow_steps_are_warm_up(times_s, expected):
    """Warm-up is the row of steps at the beginning that are slower than the later ones, and nothing further on."""
    assert warm_up_steps(times_s) == expected


@given(TIMES)
def test_warm_up_leaves_steps_to_measure(times_s):
    """However the times fall, at least half of the steps are measured."""
    assert warm_up_steps(times_s) <= len(times_s) // 2
