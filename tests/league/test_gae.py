"""GAE: by hand, and what has to hold for any game."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.league.gae import gae, normalised

NUMBERS = st.floats(-100, 100)
TURNS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12)


def test_the_final_reward_is_counted_once():
    """Three turns, one point at the end, values 0: every return is 1, and none is 3, 2 and 1."""
    assert gae([0.0, 0.0, 1.0], [0.0, 0.0, 0.0]) == ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0])


def test_three_turns_by_hand():
    """γ 0.5, λ 0.5; δ₂ = 1 − 0.4, δ₁ = 0.2 − 0.1, δ₀ = 0.1 − 0.2 + 0.05; A = δ + A'/4."""
    advantages, returns = gae([0.1, 0.0, 1.0], [0.2, 0.1, 0.4], 0.5, 0.5)
    last = 0.6
    middle = (0.0 + 0.5 * 0.4 - 0.1) + 0.25 * last
    first = (0.1 + 0.5 * 0.1 - 0.2) + 0.25 * middle
    assert (first, middle, last) == pytest.approx((0.0125, 0.25, 0.6))
    assert advantages == pytest.approx([0.0125, 0.25, 0.6])
    assert returns == pytest.approx([0.2125, 0.35, 1.0])


def test_lambda_zero_is_one_step_ahead():
    """A_t = r_t + γ V_{t+1} − V_t; behind the last turn there is nothing."""
    advantages, _ = gae([1.0, 2.0], [3.0, 4.0], 0.9, 0.0)
    assert advantages == pytest.approx([1.0 + 0.9 * 4.0 - 3.0, 2.0 - 4.0])


@given(TURNS)
def test_without_discount_it_is_return_minus_value(turns):
    """γ = λ = 1: the return is the sum of the rewards from there on, the advantage that less the value."""
    rewards, values = [one for one, _ in turns], [one for _, one in turns]
    advantages, returns = gae(rewards, values)
    for t, value in enumerate(values):
        assert returns[t] == pytest.approx(sum(rewards[t:]), abs=1e-6)
        assert advantages[t] == pytest.approx(sum(rewards[t:]) - value, abs=1e-6)


@given(TURNS, st.floats(0, 1), st.floats(0, 1))
def test_a_perfect_critic_leaves_nothing_to_gain(turns, gamma, lam):
    """Where the values are the discounted returns, all advantages are 0, whatever λ."""
    rewards, values, following = [one for one, _ in turns], [], 0.0
    for reward in reversed(rewards):
        following = reward + gamma * following
        values.insert(0, following)
    advantages, _ = gae(rewards, values, gamma, lam)
    assert advantages == pytest.approx([0.0] * len(turns), abs=1e-6)


@given(st.lists(NUMBERS, min_size=1, max_size=20), NUMBERS)
def test_normalised_advantages_are_finite_and_centred(advantages, same):
    """Mean 0 and deviation at most 1; equal ones are 0 to the last bit, never NaN."""
    found = normalised(advantages)
    assert sum(found) / len(found) == pytest.approx(0.0, abs=1e-5)
    assert sum(one * one for one in found) / len(found) <= 1.0 + 1e-9
    assert normalised([same] * len(advantages)) == [0.0] * len(advantages)


def test_normalised_by_hand():
    """1, 2, 3: deviation √(2/3)."""
    assert normalised([1.0, 2.0, 3.0]) == pytest.approx([-(1.5**0.5), 0.0, 1.5**0.5])
    assert normalised([]) == []


@pytest.mark.parametrize(
    ("rewards", "gamma", "lam", "said"),
    [([1.0], 1.0, 1.0, "1 rewards"), ([], 1.1, 1.0, "gamma"), ([], 1.0, -0.1, "lam")],
)
def test_what_makes_no_sense_is_refused(rewards, gamma, lam, said):
    """A turn without a value, and factors outside [0, 1]."""
    with pytest.raises(UsageError, match=said):
        gae(rewards, [], gamma, lam)
