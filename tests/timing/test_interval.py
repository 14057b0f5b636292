"""The intervals that a history justifies: for a run, a phase, and what is still to come."""

import math
import random

import pytest

from kit.timing.interval import Intervals
from kit.timing.pair import Ahead, Pair
from tests.timing.test_history import pairs


def test_nine_pairs_are_the_fewest_that_carry_90_percent():
    """With nine the rank is the ninth, the widest; with ten still the tenth; with nineteen the eighteenth."""
    nine = pairs(*(1 + 0.01 * k for k in range(1, 10)))
    interval = Intervals("here", nine, []).run()
    assert (interval.level, interval.calibrated, interval.pairs) == (0.9, True, 9)
    assert interval.factor == pytest.approx(1.09)
    nineteen = pairs(*(1 + 0.01 * k for k in range(1, 20)))
    assert Intervals("here", nineteen, []).run().factor == pytest.approx(1.18)


def test_too_early_and_too_late_count_alike():
    """The score is the distance of the logarithms: half and double are the same miss."""
    assert Intervals("here", pairs(*[1.0] * 8, 0.5), []).run().factor == pytest.approx(2.0)
    assert Intervals("here", pairs(*[1.0] * 8, 2.0), []).run().factor == pytest.approx(2.0)


def test_fewer_than_nine_count_with_those_shipped():
    """On a machine kind without nine pairs of its own the shipped ones count too, and nothing is calibrated."""
    own = pairs(*[1.5] * 8) + pairs(*[9.0] * 20, machine="there")
    interval = Intervals("here", own, pairs(*[1.2] * 12, machine="shipped")).run()
    assert (interval.calibrated, interval.pairs, interval.level) == (False, 20, 0.9)
    assert interval.factor == pytest.approx(1.5)
    assert Intervals("here", own[:1], pairs(*[1.2] * 19)).run().factor == pytest.approx(
        1.2
    )  # one of twenty is no tenth


def test_a_few_shipped_pairs_support_a_lower_level_and_none_a_guess():
    """Four pairs carry 80 %; without any it is a factor of two, at no level."""
    few = Intervals("here", [], pairs(1.1, 1.2, 1.3, 1.4)).run()
    assert (few.level, few.calibrated, few.factor) == (0.8, False, pytest.approx(1.4))
    none = Intervals("here", [], []).run()
    assert (none.factor, none.level, none.calibrated, none.pairs) == (2.0, 0.0, False, 0)
    assert none.around(10.0) == (5.0, 20.0)


def test_the_interval_covers_what_it_says():
    """Of 2,000 new runs like the 40 before, 88 to 95 % lie within an interval of 90 %."""
    rng = random.Random(1)
    covered = 0
    for _ in range(2_000):
        interval = Intervals("here", pairs(*(rng.lognormvariate(0, 0.3) for _ in range(40))), []).run()
        low, high = interval.around(100.0)
        covered += low <= 100.0 * rng.lognormvariate(0, 0.3) <= high
    assert 0.88 <= covered / 2_000 <= 0.95


def test_what_is_still_to_come_has_the_interval_of_that_share():
    """At 30 % of the steps it is what runs foretold at a quarter; before the first share it is the run's."""
    notes = (Ahead(0.1, 10.0, 13.0), Ahead(0.25, 10.0, 11.0))
    own = [Pair("n", "here", 100.0, 200.0, "d", ahead=notes)] * 9
    found = Intervals("here", own, [])
    few = Intervals("here", own[:3], own[:5])
    assert few.ahead(0.25).factor == few.run().factor == pytest.approx(2.0)  # five notes carry no 90 %
    assert [found.ahead(share).factor for share in (0.0, 0.1, 0.3, 0.6)] == pytest.approx(
        [2.0, 1.3, 1.1, 2.0]
    )


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf, 1e300, 1e-300])
def test_a_time_of_nothing_is_no_pair(seconds):
    """A ratio needs two times above zero."""
    with pytest.raises(ValueError, match=r"0\.001 to 1e\+09 s"):
        Pair("n", "m", seconds, 1.0, "d")
    with pytest.raises(ValueError, match=r"0\.001 to 1e\+09 s"):
        Ahead(0.5, 1.0, seconds)


def test_a_phase_that_never_came_counts_against_the_forecast():
    """Pairs are chosen by what was predicted: ten seconds foretold of which none came are no small miss."""
    pair = Pair("n", "here", 100.0, 100.0, "d", phases={"test": (10.0, 0.0), "plot": (0.01, 9.0)})
    found = Intervals("here", [pair] * 9, [])
    assert found.phase("test").factor == pytest.approx(10.0 / 0.05)
    assert found.phase("plot").pairs == 0
