from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.league.draws import draw_one, draw_order, draw_uniform, draw_weighted


@given(st.integers(), st.text(max_size=5))
def test_a_uniform_number_is_at_least_0_and_below_1(seed, word):
    """Whatever the parts."""
    assert 0.0 <= draw_uniform(seed, word) < 1.0


def test_draws_are_a_function_of_their_parts():
    """The same parts draw the same, other parts something else; nothing in between matters."""
    first = [draw_uniform(1, "a", n) for n in range(50)]
    assert first == [draw_uniform(1, "a", n) for n in range(50)]
    assert len({*first, *(draw_uniform(2, "a", n) for n in range(50))}) == 100


def test_one_of_several_is_as_likely_as_another():
    """Of 3,000 draws from three each has a third, to within five standard deviations (130)."""
    counts = Counter(draw_one("abc", 7, n) for n in range(3_000))
    assert all(abs(counts[letter] - 1_000) < 130 for letter in "abc")


def test_nothing_cannot_be_drawn_from():
    """It is an error, not an endless search."""
    with pytest.raises(UsageError, match="nothing to draw from"):
        draw_one([], 1)


def test_weights_are_shares():
    """One and three of four; 4,000 draws to within five standard deviations (137). A weight of 0 is never drawn."""
    counts = Counter(draw_weighted("abc", [1.0, 0.0, 3.0], 3, n) for n in range(4_000))
    assert counts["b"] == 0
    assert abs(counts["a"] - 1_000) < 137


def test_weights_that_are_all_0_are_no_weights():
    """Then each is as likely as another."""
    counts = Counter(draw_weighted("ab", [0.0, 0.0], 3, n) for n in range(400))
    assert abs(counts["a"] - 200) < 50


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight):
    """Negative, not a number, infinite."""
    with pytest.raises(UsageError, match="A weight must be finite"):
        draw_weighted("ab", [1.0, weight], 1)


@given(st.integers(0, 40), st.data())
def test_an_order_takes_different_numbers(count, data):
    """As many as asked, each below the count, none twice."""
    taken = data.draw(st.integers(0, count))
    order = draw_order(count, taken, 5, count)
    assert len(set(order)) == len(order) == taken
    assert all(0 <= number < count for number in order)


def test_every_order_of_three_comes_equally_often():
    """Of 6,000 shuffles each of the six has 1,000, to within five standard deviations (145)."""
    counts = Counter(tuple(draw_order(3, 3, 11, n)) for n in range(6_000))
    assert len(counts) == 6
    assert all(abs(count - 1_000) < 145 for count in counts.values())
