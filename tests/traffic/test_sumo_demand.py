"""The trips of a SUMO scenario: as they are in the file, and as another day of them."""

import numpy as np
import pytest

from kit.traffic.seeds import test_seeds, training_seeds
from kit.traffic.sumo_demand import SHIFT_S, perturbed
from kit.traffic.sumo_episode import demand_of
from kit.traffic.sumo_scenario import SumoScenario
from tests.traffic.sumo_installed import needs_sumo

pytestmark = needs_sumo

BEGIN_S, END_S = 25_200, 28_800


@pytest.fixture(scope="module")
def given():
    """The trips of the file."""
    return demand_of(SumoScenario("cologne1", perturb=False).spec(0))


def test_file_demand_is_complete(given):
    """Unperturbed, cologne1 has its 2,015 trips."""
    assert len(given.trips) == 2015


def test_a_day_is_a_function_of_its_seed(given):
    """The same seed draws the same day, to the last attribute."""
    assert perturbed(given, 7, BEGIN_S, END_S).to_xml() == perturbed(given, 7, BEGIN_S, END_S).to_xml()


def test_days_differ(given):
    """Test days are not training days: no two seeds have the same volume and departures."""
    seeds = training_seeds(10) + test_seeds(10)
    days = {tuple(t.depart_s for t in perturbed(given, seed, BEGIN_S, END_S).trips) for seed in seeds}
    assert len(days) == 20


def test_volume_spreads_over_its_range(given):
    """Volumes lie between 0.8 and 1.2 of the file's, and reach towards both ends."""
    ratios = [len(perturbed(given, seed, BEGIN_S, END_S).trips) / 2015 for seed in range(60)]
    assert 0.799 <= min(ratios) < 0.85
    assert 1.15 < max(ratios) <= 1.201


def test_departures_move_by_at_most_five_minutes(given):
    """No vehicle departs more than five minutes (and the rounding) from its time, or outside the hour."""
    before = {t.id: t.depart_s for t in given.trips}
    for trip in perturbed(given, 3, BEGIN_S, END_S).trips:
        assert abs(trip.depart_s - before[trip.id.removesuffix("_again")]) <= SHIFT_S + 1
        assert BEGIN_S <= trip.depart_s < END_S


def test_ids_are_unique_and_order_is_by_departure(given):
    """SUMO gets each id once and the trips in order of departure, also on a day with repeated trips."""
    day = next(d for s in range(50) if len((d := perturbed(given, s, BEGIN_S, END_S)).trips) > 2200)
    assert len({t.id for t in day.trips}) == len(day.trips)
    assert np.all(np.diff([t.depart_s for t in day.trips]) >= 0)
