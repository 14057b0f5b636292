"""The average of policies of Kuhn poker: what it means, and that its sums are as good as all the policies."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.league.exploitability import exploitability, game_value
from kit.league.games.kuhn_rules import INFORMATION_SETS
from kit.league.kuhn_average import RunningAverage, average_policy
from kit.league.kuhn_policy import checked, equilibrium, uniform_policy
from kit.tensors import decode, encode
from tests.league.kuhn_policies import any_policy


def sure(action: str) -> dict[str, dict[str, float]]:
    """Return the uniform policy, but player 0 always begins with ``action``."""
    policy = uniform_policy()
    for card in "JQK":
        policy[f"{card}|"] = {"check": float(action == "check"), "bet": float(action == "bet")}
    return policy


def test_an_average_counts_only_who_gets_there():
    """Of one that always bets and one that always checks only the latter ever answers a bet as player 0."""
    better, checker = sure("bet"), sure("check")
    better["Q|check bet"] = {"call": 1.0, "fold": 0.0}
    checker["Q|check bet"] = {"call": 0.0, "fold": 1.0}
    average = average_policy([better, checker])
    assert average["Q|"] == {"check": 0.5, "bet": 0.5}
    assert average["Q|check bet"] == {"call": 0.0, "fold": 1.0}


def test_an_average_by_hand():
    """Reaches 3/4 and 1/4, calling with 1/3 and 1: (3/4 · 1/3 + 1/4 · 1) / (3/4 + 1/4) = 1/2."""
    one, two = uniform_policy(), uniform_policy()
    one["J|"], one["J|check bet"] = {"check": 0.75, "bet": 0.25}, {"call": 1 / 3, "fold": 2 / 3}
    two["J|"], two["J|check bet"] = {"check": 0.25, "bet": 0.75}, {"call": 1.0, "fold": 0.0}
    assert average_policy([one, two])["J|check bet"]["call"] == pytest.approx(0.5, abs=1e-15)


def test_player_1_has_one_decision_and_a_plain_mean():
    """Its own probabilities never stand before its information sets; what player 0 does is not counted."""
    one, two = sure("bet"), sure("check")
    one["Q|bet"], two["Q|bet"] = {"call": 1.0, "fold": 0.0}, {"call": 0.0, "fold": 1.0}
    assert average_policy([one, two])["Q|bet"] == {"call": 0.5, "fold": 0.5}


def test_where_nobody_comes_it_is_the_plain_mean():
    """No probability is divided by zero."""
    one, two = sure("bet"), sure("bet")
    one["K|check bet"] = {"call": 1.0, "fold": 0.0}
    assert average_policy([one, two])["K|check bet"] == {"call": 0.75, "fold": 0.25}


@given(st.lists(any_policy(), min_size=1, max_size=4), any_policy())
def test_an_average_wins_what_its_policies_win_on_average(policies, other):
    """Playing it is drawing one of them before the hand, in either seat, against anybody."""
    average = checked(average_policy(policies))
    for seats in (lambda one: (one, other), lambda one: (other, one)):
        mean = math.fsum(game_value(*seats(policy)) for policy in policies) / len(policies)
        assert game_value(*seats(average)) == pytest.approx(mean, abs=1e-12)


def test_the_average_of_one_is_itself_where_it_comes():
    """And wins the same anywhere."""
    assert exploitability(average_policy([equilibrium()])) == pytest.approx(0.0, abs=1e-15)
    with pytest.raises(UsageError, match="no policy to average"):
        average_policy([])


def reach(name, policy):
    """Return how likely player 0 comes to its second decision as far as it depends on itself; 1 elsewhere."""
    card, _, history = name.partition("|")
    return policy[f"{card}|"]["check"] if history == "check bet" else 1.0


def by_definition(name, action, policies):
    """Return equation 4 of Zinkevich et al. over all the policies at once, summed without rounding."""
    reaches = [reach(name, policy) for policy in policies]
    weighted = math.fsum(one * policy[name][action] for one, policy in zip(reaches, policies, strict=True))
    return weighted / math.fsum(reaches)


@given(st.lists(any_policy(), min_size=1, max_size=30), st.integers(0, 30))
def test_sums_come_to_what_all_policies_come_to(policies, saved_after):
    """To 1e-12, wherever the sums were saved and loaded in between."""
    average = RunningAverage()
    for number, policy in enumerate(policies):
        if number == saved_after:
            saved, average = encode(average.state_dict()), RunningAverage()
            average.load_state_dict(decode(saved))
        average.add(policy)
    found = average.policy()
    for name in INFORMATION_SETS:
        if math.fsum(reach(name, policy) for policy in policies) > 1e-290:
            for action, chance in found[name].items():
                assert chance == pytest.approx(by_definition(name, action, policies), abs=1e-12)


def test_a_thousand_policies_are_as_exact_as_one():
    """Sums of a thousand different ones: what they win is the mean of what each wins, to 1e-12."""
    average, other = RunningAverage(), uniform_policy()
    won = []
    for number in range(1_000):
        policy = equilibrium((number % 7) / 21) if number % 2 else uniform_policy()
        average.add(policy)
        won.append(game_value(policy, other))
    assert average.count == 1_000
    assert game_value(average.policy(), other) == pytest.approx(math.fsum(won) / 1_000, abs=1e-12)
