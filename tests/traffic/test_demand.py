"""Demand profiles and the days drawn from them."""

import numpy as np
import pytest

from kit.errors import UnknownNameError, UsageError
from kit.traffic.demand import PROFILES, Demand, profile


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_has_600_vehicles_an_hour_and_approach(name):
    """Over the hour and the approaches each named profile is 600 veh/h, so that they compare."""
    rates = profile(name).rates_veh_h
    assert rates.shape == (240, 4)
    assert rates.mean() == pytest.approx(600)
    assert rates.min() >= 300


def test_the_profiles_are_what_their_names_say():
    """3to1 is 3:1 all hour, varying one way early and the other way late, balanced never."""
    ratio = {name: profile(name).rates_veh_h[:, 0] / profile(name).rates_veh_h[:, 1] for name in PROFILES}
    assert np.allclose(ratio["balanced"], 1)
    assert np.allclose(ratio["3to1"], 3)
    assert ratio["varying"][60] == pytest.approx(2.9, abs=0.1)
    assert ratio["varying"][180] == pytest.approx(1 / 2.9, abs=0.02)


def test_a_day_is_a_function_of_its_seed():
    """The same seed draws the same arrivals, another others; they are Poisson around the rates."""
    demand = profile("balanced")
    assert np.array_equal(demand.arrivals(5), demand.arrivals(5))
    assert not np.array_equal(demand.arrivals(5), demand.arrivals(6))
    drawn = np.stack([demand.arrivals(seed) for seed in range(50)])
    assert drawn.mean() == pytest.approx(2.5, rel=0.02)
    assert drawn.var() == pytest.approx(2.5, rel=0.05)


def test_bad_rates_and_names_are_refused():
    """Rates of the wrong shape, negative or not finite, and unknown profiles, are named."""
    with pytest.raises(UsageError, match=r"\(240, 3\)"):
        Demand("d", np.ones((240, 3)))
    with pytest.raises(UsageError, match="-1"):
        Demand("d", np.full((240, 4), -1.0))
    with pytest.raises(UsageError, match="finite"):
        Demand("d", np.full((240, 4), np.nan))
    with pytest.raises(UnknownNameError, match="'balanced'"):
        profile("balance")
