"""Policies of Kuhn poker as data: what is one, and what averaging them means."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.league.exploitability import exploitability, game_value
from kit.league.games.kuhn_rules import INFORMATION_SETS
from kit.league.kuhn_policy import average_policy, checked, equilibrium, policy_from, uniform_policy
from tests.league.kuhn_policies import any_policy, policy_of


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


def test_a_policy_is_asked_for_in_every_information_set():
    """Twelve views, each what the game itself would show; weights are scaled, illegal ones left out."""
    seen = []

    def lookup(view):
        seen.append((view.player, view.compact, view.legal))
        return {view.legal[0]: 0.3, view.legal[1]: 0.1, "raise": 0.6}

    policy = policy_from(lookup)
    assert [compact for _, compact, _ in seen] == list(INFORMATION_SETS)
    assert {player for player, compact, _ in seen if len(compact.split("|")[1].split()) % 2} == {1}
    assert policy["Q|bet"] == {"call": pytest.approx(0.75), "fold": pytest.approx(0.25)}
    assert checked(policy) is policy


@pytest.mark.parametrize(
    "weights",
    [{}, {"raise": 1.0}, {"check": 0.0, "bet": 0.0, "call": 0.0}, {"check": -1.0, "call": -1.0, "bet": 2.0}],
)
def test_no_policy_follows_from_nothing(weights):
    """No weight on a legal action, or a negative one, is an error that names the information set."""
    with pytest.raises(UsageError, match=r"J\|"):
        policy_from(lambda _: weights)


@pytest.mark.parametrize("weight", [math.nan, math.inf])
def test_no_policy_follows_from_what_is_no_number(weight):
    """Neither NaN nor infinity."""
    with pytest.raises(UsageError, match=r"J\|"):
        policy_from(lambda view: dict.fromkeys(view.legal, weight))


@pytest.mark.parametrize(
    "change",
    [
        {"Q|bet": {"call": 0.7, "fold": 0.7}},
        {"Q|bet": {"call": 1.5, "fold": -0.5}},
        {"Q|bet": {"call": math.nan, "fold": 0.5}},
        {"Q|bet": {"call": 1.0}},
        {"Q|bet": {"check": 0.5, "bet": 0.5}},
        {"Q|raise": {"call": 0.5, "fold": 0.5}},
    ],
)
def test_what_is_no_policy_is_refused(change):
    """Sums, signs, missing, wrong and unknown entries; the error names which."""
    with pytest.raises(UsageError, match=r"Q\|"):
        checked(uniform_policy() | change)


def test_a_missing_information_set_is_named():
    """Eleven are not enough."""
    policy = policy_of(dict.fromkeys(INFORMATION_SETS[1:], 0.5))
    with pytest.raises(UsageError, match=r"nothing for 'J\|'"):
        exploitability(policy)


@pytest.mark.parametrize("alpha", [-0.01, 0.34, math.nan])
def test_there_is_no_equilibrium_beyond_a_third(alpha):
    """The family's parameter is checked."""
    with pytest.raises(UsageError, match="alpha"):
        equilibrium(alpha)
