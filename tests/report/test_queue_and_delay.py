import math

import pytest

from kit.report.queue_and_delay import running_mean


def test_running_mean_by_hand() -> None:
    """Each value is the mean of those within half the window on either side, fewer at the ends."""
    times = [0.0, 15.0, 30.0, 45.0]
    assert running_mean(times, [1.0, 2.0, 6.0, 10.0], 30.0) == pytest.approx([1.5, 3.0, 6.0, 8.0])


def test_missing_values_do_not_spread() -> None:
    """A value that is missing is left out of the mean, and a window without any is missing."""
    means = running_mean([0.0, 100.0, 115.0], [math.nan, 2.0, math.nan], 30.0)
    assert math.isnan(means[0])
    assert means[1:] == [2.0, 2.0]
