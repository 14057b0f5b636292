"""Seeds of days."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.traffic.seeds import SELECTION, TEST, TRAINING, selection_seeds, training_seed, training_seeds
from kit.traffic.seeds import test_seeds as final_seeds


@given(st.integers(), st.integers(0, 10_000), st.integers(0, 1_000_000))
def test_training_days_are_never_selection_or_test_days(base_seed, env_index, episode):
    """Whatever the run's seed, environment and episode, the day is a training day."""
    seed = training_seed(base_seed, env_index, episode)
    assert seed in TRAINING
    assert seed not in SELECTION
    assert seed not in TEST


def test_the_three_ranges_do_not_meet():
    """Seeds handed out for selection and for the test share nothing with each other or with training."""
    selection, test = set(selection_seeds(1000)), set(final_seeds(1000))
    assert not selection & test
    assert not (selection | test) & set(training_seeds(1000))
    assert len(selection) == len(test) == len(set(training_seeds(1000))) == 1000


def test_the_spread_is_fixed_for_ever():
    """A recorded run finds its days again: the spread of training seeds does not change."""
    assert [training_seed(0, 0, 0), training_seed(0, 1, 0), training_seed(7, 3, 41)] == [
        252433,
        768432,
        588021,
    ]


def test_neighbouring_runs_play_other_days():
    """Runs whose seeds follow each other share (nearly) no training day."""
    days = [{training_seed(seed, env, ep) for env in range(4) for ep in range(25)} for seed in range(5)]
    assert len(set().union(*days)) > 495


def test_more_seeds_than_there_are_is_an_error():
    """Asking for more days than a range holds is refused with the legal number."""
    with pytest.raises(UsageError, match="0 to 1000000"):
        final_seeds(1_000_001)
