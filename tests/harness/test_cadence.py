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
