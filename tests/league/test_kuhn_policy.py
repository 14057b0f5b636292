"""Policies of Kuhn poker as data: what is one, and what is none."""

import math

import pytest

from kit.errors import UsageError
from kit.league.exploitability import exploitability
from kit.league.games.kuhn_rules import INFORMATION_SETS
from kit.league.kuhn_policy import checked, equilibrium, policy_from, uniform_policy
from tests.league.kuhn_policies import policy_of


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
