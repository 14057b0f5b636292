import math

import pytest

from kit.errors import UsageError
from kit.harness.cadence import Cadence


@pytest.mark.parametrize(
    ("cost_s", "interval_s"),
    [(0.045, math.sqrt(2 * 0.045 * 43_200)), (0.0, 10.0), (1e-4, 10.0), (60.0, 600.0)],
)
def test_checkpoints_follow_young_and_daly_within_bounds(cost_s, interval_s):
    """45 ms and 12 h give 62 s; never below 10 s, never above 10 min."""
    assert Cadence().checkpoint_interval_s(cost_s) == pytest.approx(interval_s)


@pytest.mark.parametrize(
    "setting",
    [
        {"checkpoint_min_s": 0},
        {"checkpoint_max_s": -1},
        {"checkpoint_slow_s": 0},
        {"checkpoint_stuck_s": 0},
        {"mtbf_s": 0},
        {"export_every_steps": 0},
        {"keep": 0},
        {"checkpoint_every_steps": 0},
    ],
)
def test_intervals_of_nothing_are_refused(setting):
    """Each interval has to be more than zero; the message names the one that is not."""
    with pytest.raises(UsageError, match=next(iter(setting))):
        Cadence(**setting)


def test_equal_bounds_are_a_fixed_interval():
    """Whatever a checkpoint costs, it comes every minute; a lower bound above the upper one is refused."""
    cadence = Cadence(checkpoint_min_s=60.0, checkpoint_max_s=60.0)
    assert [cadence.checkpoint_interval_s(cost_s) for cost_s in (0.0, 0.045, 60.0)] == [60.0] * 3
    with pytest.raises(UsageError, match=r"checkpoint_min_s must be at most checkpoint_max_s, 60\.0, not 61"):
        Cadence(checkpoint_min_s=61, checkpoint_max_s=60.0)
