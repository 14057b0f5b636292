"""Ratings, held against the trueskill package and against numbers worked out by hand."""

import math
import random
import sys
import warnings

import pytest

from kit.errors import MissingDependencyError, UnknownNameError, UsageError
from kit.league.model_registry import ModelRegistry
from kit.league.rating import Rater, Rating, RatingSettings

with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore"
    )  # its last release is of 2018: an escape in a docstring warns where it is compiled
    import trueskill

THEIRS = trueskill.TrueSkill(mu=25.0, sigma=25.0 / 3.0, beta=4.0, tau=25.0 / 300.0, draw_probability=0.10)


def their(rating: Rating) -> trueskill.Rating:
    """The same rating as trueskill has it."""
    return THEIRS.create_rating(rating.mu, rating.sigma)


def matches(players: int, games: int, seed: int) -> list[tuple[int, int, float, float]]:
    """Pairs of players, each stronger than the one before it by 3 of a performance's 4 points, and their scores."""
    chance = random.Random(seed)
    played = []
    for _ in range(games):
        one, other = chance.sample(range(players), 2)
        gap = chance.gauss(3.0 * one, 4.0) - chance.gauss(3.0 * other, 4.0)
        score = 0.0 if abs(gap) < 0.7 else math.copysign(1.0, gap)
        played.append((one, other, score, -score))
    return played


@pytest.mark.parametrize("scores", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Rating(25.0, 25.0 / 3.0), Rating(25.0, 25.0 / 3.0)),
        (Rating(31.0, 1.5), Rating(22.0, 3.0)),
        (Rating(10.0, 6.0), Rating(40.0, 0.9)),
    ],
)
def test_two_players_are_rated_as_trueskill_rates_them(one, other, scores):
    """Won, lost, drawn, expected or not: mu and sigma agree to 1e-3 of a point, where trueskill's erf is as exact."""
    ours = Rater().rated([one, other], scores)
    theirs = THEIRS.rate([(their(one),), (their(other),)], ranks=[-score for score in scores])
    for mine, (its,) in zip(ours, theirs, strict=True):
        assert mine.mu == pytest.approx(its.mu, abs=1e-3)
        assert mine.sigma == pytest.approx(min(its.sigma, 25.0 / 3.0), abs=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_order_of_players_is_trueskills(seed):
    """After 300 matches of six players of known strength both packages have one order, and it is the true one."""
    registry = ModelRegistry()
    names = [f"player {number}" for number in range(6)]
    for name in names:
        registry.add_fixed(name)
    theirs = [THEIRS.create_rating() for _ in names]
    for one, other, score, its in matches(6, 300, seed):
        registry.update_ratings([names[one], names[other]], [score, its], "Kuhn-v0")
        (theirs[one],), (theirs[other],) = THEIRS.rate(
            [(theirs[one],), (theirs[other],)], ranks=[-score, -its]
        )
    mine = sorted(names, key=lambda name: registry.rating(name).mu)
    assert mine == [names[place] for place in sorted(range(6), key=lambda place: theirs[place].mu)]
    assert mine == names


def test_the_first_win_is_worth_what_the_formula_says():
    """By hand, for two new players: c² = 2(σ² + τ²) + 2β², t = ε/c, mu moves by (σ² + τ²)/c · φ(t)/Φ(−t)."""
    sigma2, beta2 = (25.0 / 3.0) ** 2 + (25.0 / 300.0) ** 2, 16.0
    c = math.sqrt(2.0 * sigma2 + 2.0 * beta2)
    t = RatingSettings().margin / c
    density = math.exp(-t * t / 2.0) / math.sqrt(2.0 * math.pi)
    tail = 0.5 * math.erfc(t / math.sqrt(2.0))
    won, lost = Rater().rated([Rating(25.0, 25.0 / 3.0)] * 2, [1.0, -1.0])
    assert won.mu == pytest.approx(25.0 + sigma2 / c * density / tail, rel=1e-9)
    assert lost.mu == pytest.approx(50.0 - won.mu, rel=1e-12)
    v = density / tail
    assert won.sigma == pytest.approx(math.sqrt(sigma2 * (1.0 - sigma2 / c**2 * v * (v - t))), rel=1e-9)


def test_a_draw_between_equals_moves_nobody():
    """It only makes them surer."""
    one, other = Rater().rated([Rating(25.0, 5.0)] * 2, [0.5, 0.5])
    assert one.mu == other.mu == pytest.approx(25.0)
    assert one.sigma == other.sigma < 5.0


def test_more_than_two_players_are_ranked_with_ties():
    """First, two seconds, last: mu in that order, the seconds equal, and nobody is certain after one game."""
    first, tied, too, last = Rater().rated([Rating(25.0, 25.0 / 3.0)] * 4, [3.0, 1.0, 1.0, -2.0])
    assert first.mu > tied.mu > last.mu
    assert tied.mu == pytest.approx(too.mu)
    assert all(one.sigma > 4.0 for one in (first, tied, too, last))


def test_quality_and_win_probability_are_trueskills():
    """Its formulae: match quality as trueskill computes it, Φ of the difference over its deviation."""
    rater, one, other = Rater(), Rating(28.0, 3.0), Rating(24.0, 5.0)
    theirs = THEIRS.quality([(their(one),), (their(other),)])
    assert rater.quality(one, other) == pytest.approx(theirs, rel=1e-9)
    assert rater.quality(one, other) == rater.quality(other, one)
    expected = 0.5 * math.erfc(-4.0 / math.sqrt(2.0 * (2.0 * 16.0 + 9.0 + 25.0)))
    assert rater.win_probability(one, other) == pytest.approx(expected, rel=1e-9)
    assert rater.win_probability(one, other) + rater.win_probability(other, one) == pytest.approx(1.0)


def test_a_mirror_league_stays_where_it_is():
    """Fifty-one games of a policy against itself rate nobody, and all of them are counted."""
    registry = ModelRegistry()
    registry.add_checkpoint("base", None, 0)
    for game in range(51):
        registry.update_ratings(["base", "base"], [1.0, -1.0] if game % 2 else [0.0, 0.0], "Kuhn-v0")
    assert registry.rating("base") == Rating(25.0, 25.0 / 3.0)
    assert registry.matches.games("base", "base") == 51
    assert registry.matches.results("base", "base") == (25, 26, 0)


def test_one_name_on_two_of_three_seats_rates_nobody():
    """The third does not gain twice from one game, nor the other from itself."""
    registry = ModelRegistry()
    registry.add_checkpoint("base", None, 0)
    registry.add_fixed("random")
    registry.update_ratings(["base", "random", "base"], [1.0, 0.0, -1.0], "Three-v0")
    assert registry.rating("base") == registry.rating("random") == Rating(25.0, 25.0 / 3.0)
    assert registry.matches.games("base", "random") == 2
    assert registry.matches.games("base", "base") == 1


def test_a_new_checkpoint_inherits_mu_and_is_less_certain_up_to_a_cap():
    """Twice the sigma of the one before; after any number of checkpoints and games no sigma is above the first one."""
    registry = ModelRegistry()
    registry.add_checkpoint("base", None, 0)
    registry.add_fixed("random")
    for _ in range(40):
        registry.update_ratings(["base", "random"], [1.0, -1.0], "Kuhn-v0")
    before = registry.rating("base")
    registry.add_checkpoint("1", "adapters/000001", 1)
    assert registry.rating("1") == Rating(before.mu, min(25.0 / 3.0, 2.0 * before.sigma))
    for number in range(2, 60):
        registry.add_checkpoint(str(number), f"adapters/{number:06}", number)
        if number % 9 == 0:
            registry.update_ratings([str(number), "random"], [0.0, 0.0], "Kuhn-v0")
        assert all(rating.sigma <= 25.0 / 3.0 for rating in registry.ratings.values())
    assert registry.rating("59").mu == pytest.approx(registry.rating("54").mu)


def test_sigma_does_not_grow_past_the_first_by_games_that_say_nothing():
    """Each game adds tau; a win that everybody expected takes off less than that."""
    registry = ModelRegistry()
    registry.add_fixed("strong")
    registry.add_fixed("weak")
    registry._ratings |= {"strong": Rating(90.0, 25.0 / 3.0), "weak": Rating(-40.0, 25.0 / 3.0)}
    for _ in range(20):
        registry.update_ratings(["strong", "weak"], [1.0, -1.0], "Kuhn-v0")
    assert registry.rating("strong").sigma == registry.rating("weak").sigma == 25.0 / 3.0


def test_players_are_found_by_name():
    """Checkpoints by age, fixed opponents in the order they came; an unknown name names the nearest."""
    registry = ModelRegistry()
    with pytest.raises(UsageError, match="no checkpoint in the registry"):
        _ = registry.current
    registry.add_checkpoint("base", None, 0)
    registry.add_fixed("minimax")
    registry.add_checkpoint("update-1", "adapters/000001", 1)
    registry.add_fixed("minimax")
    assert registry.current == "update-1"
    assert registry.checkpoints == ("base", "update-1")
    assert registry.fixed == ("minimax",)
    assert registry.entry("update-1").path == "adapters/000001"
    with pytest.raises(UnknownNameError, match="Did you mean 'minimax'"):
        registry.rating("minmax")


def test_what_cannot_be_registered_or_rated_is_refused():
    """A name twice, a checkpoint that is not newer, a score that is no number, a player alone."""
    registry = ModelRegistry()
    registry.add_checkpoint("base", None, 0)
    with pytest.raises(UsageError, match="must be more than 0, not 0"):
        registry.add_checkpoint("again", None, 0)
    with pytest.raises(UsageError, match="player 'base' in the registry already"):
        registry.add_checkpoint("base", None, 1)
    with pytest.raises(UsageError, match="player 'base' in the registry already"):
        registry.add_fixed("base")
    for uids, scores in ((["base"], [1.0]), (["base", "base"], [1.0])):
        with pytest.raises(UsageError, match="a score for each of two or more players"):
            registry.update_ratings(uids, scores, "Kuhn-v0")
    with pytest.raises(UsageError, match="not a number"):
        registry.update_ratings(["base", "base"], [math.nan, 1.0], "Kuhn-v0")


def test_a_library_that_is_not_there_is_named(monkeypatch):
    """With the command that installs it, when the first game is rated; nothing was changed by then."""
    monkeypatch.setitem(sys.modules, "openskill.models", None)
    registry = ModelRegistry()
    for name in ("one", "other"):
        registry.add_fixed(name)
    with pytest.raises(MissingDependencyError, match="pip install openskill"):
        registry.update_ratings(["one", "other"], [1.0, -1.0], "Kuhn-v0")
    assert registry.matches.games("one", "other") == 0
    assert registry.ratings == dict.fromkeys(("one", "other"), Rating(25.0, 25.0 / 3.0))


@pytest.mark.parametrize(
    "changes", [{"sigma": 0.0}, {"beta": -1.0}, {"tau": 0.0}, {"draw": 0.0}, {"draw": 1.0}, {"widening": 0.5}]
)
def test_settings_out_of_range_are_refused(changes):
    """Naming the setting."""
    with pytest.raises(UsageError, match=next(iter(changes))):
        RatingSettings(**changes)


def test_results_are_told_from_either_side():
    """Won, drawn, lost, by environment or in all; a game counts once for its pair."""
    registry = ModelRegistry()
    for name in ("zoe", "adam"):
        registry.add_fixed(name)
    registry.update_ratings(["zoe", "adam"], [1.0, -1.0], "Kuhn-v0")
    registry.update_ratings(["adam", "zoe"], [0.0, 0.0], "Kuhn-v0")
    registry.update_ratings(["adam", "zoe"], [2.0, -2.0], "TicTacToe-v0")
    assert registry.matches.results("zoe", "adam") == (1, 1, 1)
    assert registry.matches.results("zoe", "adam", "Kuhn-v0") == (1, 1, 0)
    assert registry.matches.results("adam", "zoe", "Kuhn-v0") == (0, 1, 1)
    assert registry.matches.pairs() == {("adam", "zoe"): 3}
    assert registry.matches.games("zoe", "nobody") == 0
