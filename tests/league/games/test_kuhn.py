"""Our Kuhn poker: every hand pays what the literature says, and nobody sees the other's card."""

import itertools
from collections import Counter

import pytest

from kit.errors import UsageError
from kit.league.games.kuhn import KuhnGame
from kit.league.games.kuhn_rules import DEALS, INFORMATION_SETS, read_information_set

ENDS = {
    ("check", "check"): 1,
    ("check", "bet", "call"): 2,
    ("bet", "call"): 2,
}
FOLDS = {("check", "bet", "fold"): -1, ("bet", "fold"): 1}


def seed_of(deal: tuple[str, str]) -> int:
    """Return a seed that deals so."""
    return next(seed for seed in range(1000) if cards(seed) == deal)


def cards(seed: int) -> tuple[str, str]:
    """Return what a seed deals, as the players see it."""
    game = KuhnGame()
    game.reset(seed)
    first = game.view().compact[0]
    game.step("check")
    return first, game.view().compact[0]


def played(deal: tuple[str, str], actions: tuple[str, ...]) -> KuhnGame:
    """Return the hand after the actions, all of them legal."""
    game = KuhnGame()
    game.reset(seed_of(deal))
    for action in actions:
        assert game.step(action).legal
    return game


@pytest.mark.parametrize("deal", DEALS)
@pytest.mark.parametrize("actions", ENDS)
def test_a_showdown_pays_the_higher_card(deal, actions):
    """1 chip where nobody bet, 2 where a bet was called."""
    sign = 1 if deal in [("Q", "J"), ("K", "J"), ("K", "Q")] else -1
    assert played(deal, actions).rewards() == (sign * ENDS[actions], -sign * ENDS[actions])


@pytest.mark.parametrize("deal", DEALS)
@pytest.mark.parametrize("actions", FOLDS)
def test_a_fold_costs_the_ante_whatever_the_cards(deal, actions):
    """1 chip to the one who bet."""
    assert played(deal, actions).rewards() == (FOLDS[actions], -FOLDS[actions])


def test_every_deal_is_equally_likely():
    """6,000 seeds deal each of six hands about 1,000 times (within 4 standard deviations, 115)."""
    dealt = Counter(cards(seed) for seed in range(6000))
    assert set(dealt) == set(itertools.permutations("JQK", 2))
    assert all(abs(times - 1000) < 115 for times in dealt.values())


def test_nobody_sees_the_other_card():
    """A player with Q is shown the same whatever the opponent holds."""
    assert played(("Q", "J"), ()).view() == played(("Q", "K"), ()).view()
    assert played(("J", "Q"), ("bet",)).view() == played(("K", "Q"), ("bet",)).view()


def test_a_view_in_words():
    """Card, what was done, what is legal; the compact form is the information set's name."""
    view = played(("Q", "K"), ("check", "bet")).view()
    assert (view.player, view.compact, view.legal) == (0, "Q|check bet", ("call", "fold"))
    assert view.state == "Your card: Q.\nDone so far: check, bet.\nLegal actions: call, fold."
    assert "You are player 0 and act first." in view.rules
    assert played(("Q", "K"), ()).view().compact == "Q|"


@pytest.mark.parametrize("action", ["Bet", " bet ", "BET"])
def test_case_and_blanks_are_forgiven(action):
    """The word is what counts."""
    game = played(("K", "J"), ())
    assert game.step(action).legal
    assert game.view().compact == "J|bet"


@pytest.mark.parametrize(
    ("actions", "illegal"), [((), "call"), ((), "fold"), (("bet",), "check"), (("check",), "call")]
)
def test_what_is_not_on_the_table_is_illegal(actions, illegal):
    """It ends the hand and costs the most that a hand can cost, so that it is never better than a fold."""
    game = played(("J", "K"), actions)
    mover = game.player
    verdict = game.step(illegal)
    assert not verdict.legal
    assert "Legal: " in verdict.reason
    assert game.rewards()[mover] == -2
    assert game.rewards()[1 - mover] == 2


def test_information_sets_are_read_back():
    """Twelve of them, and an error that lists them for anything else."""
    assert len(set(INFORMATION_SETS)) == 12
    assert [read_information_set(name) for name in ("Q|", "J|check bet")] == [
        ("Q", ()),
        ("J", ("check", "bet")),
    ]
    for name in ("A|", "Q|call", "", "QQ|", "check"):
        with pytest.raises(UsageError, match="no information set"):
            read_information_set(name)
