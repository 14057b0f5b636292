"""The intersection's config."""

import pytest

from kit.errors import UsageError
from kit.traffic.network import Intersection


def test_saturation_flow_is_that_of_the_triangular_diagram():
    """The default roads carry 1,853 veh/h, the top of ρ_jam·v_f·w/(v_f + w)."""
    assert Intersection().saturation_veh_s * 3600 == pytest.approx(1853, abs=0.5)


def test_a_time_step_that_breaks_cfl_is_refused():
    """A step in which a vehicle would pass a whole cell is an error that names the largest legal step."""
    with pytest.raises(UsageError, match=r"CFL.*dt_s <= 0\.72"):
        Intersection(dt_s=0.75)
    with pytest.raises(UsageError, match="CFL"):
        Intersection(wave_m_s=30.0, free_flow_m_s=10.0)
    Intersection(dt_s=0.6, interval_s=15.0, amber_s=3.0, all_red_s=1.2, min_green_s=4.8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cells": 95}, "multiple of 10"),
        ({"jam_veh_m": 0.0}, "jam_veh_m is 0.0"),
        ({"jam_veh_m": float("nan")}, "jam_veh_m is nan"),
        ({"amber_s": -1.0}, "amber_s is -1.0"),
        ({"interval_s": 15.2}, "whole number of steps"),
        ({"turning": ((0.5, 0.5, 0.0, 0.1),) * 4}, "summing to 1"),
        ({"phases": ((0, 2), (1,))}, "approaches 0 to 3"),
    ],
)
def test_bad_settings_are_named(settings, message):
    """Every value out of range is refused by name."""
    with pytest.raises(UsageError, match=message):
        Intersection(**settings)
