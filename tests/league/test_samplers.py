"""Samplers: what is drawn, how often, and that nothing but seed and state decides it."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UnknownNameError, UsageError
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.model_registry import ModelRegistry
from kit.league.samplers import (
    ENV_SAMPLERS,
    MODEL_SAMPLERS,
    BaseModelSampler,
    FixedOpponentModelSampler,
    LaggedModelSampler,
    MatchQualityModelSampler,
    MirrorModelSampler,
    PrioritisedModelSampler,
    RecentRewardEnvSampler,
    UniformRandomEnvSampler,
    WeightedEnvSampler,
)
from kit.league.samplers.prioritised import hard, variance
from kit.tensors import decode, encode

TRAIN = [TrainEnvSpec(name, 2, 2, "compact") for name in ("Kuhn-v0", "TicTacToe-v0-train")]
EVAL = [EvalEnvSpec("Kuhn-v0", 2, "compact", "random"), EvalEnvSpec("Kuhn-v0", 2, "compact", "scripted")]


def registry_of(checkpoints: int = 1, fixed: tuple[str, ...] = ()) -> ModelRegistry:
    """A registry of that many checkpoints, named by their number, and fixed opponents."""
    registry = ModelRegistry()
    for number in range(checkpoints):
        registry.add_checkpoint(str(number), None, number)
    for name in fixed:
        registry.add_fixed(name)
    return registry


def through_a_checkpoint(state):
    """The state as it comes back from disk."""
    return decode(encode(state))


# Environments


def test_the_uniform_sampler_takes_each_game_as_often():
    """Of 2,000 draws a half each, to within five standard deviations (112); evaluation too."""
    sampler = UniformRandomEnvSampler(TRAIN, EVAL)
    trained = Counter(sampler.sample_train(seed).env_id for seed in range(2_000))
    measured = Counter(sampler.sample_eval(seed).fixed_opponent for seed in range(2_000))
    assert abs(trained["Kuhn-v0"] - 1_000) < 112
    assert abs(measured["random"] - 1_000) < 112


def test_the_weighted_sampler_goes_by_its_weights():
    """Three to one, to within five standard deviations (97) of 2,000 draws; evaluation as often as ever."""
    sampler = WeightedEnvSampler(TRAIN, EVAL, weights=[3, 1])
    counts = Counter(sampler.sample_train(seed).env_id for seed in range(2_000))
    assert abs(counts["Kuhn-v0"] - 1_500) < 97
    assert (
        abs(Counter(sampler.sample_eval(seed).fixed_opponent for seed in range(2_000))["random"] - 1_000)
        < 112
    )


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], [0, 0], [1, -1], [1, math.nan], [1, math.inf]])
def test_weights_that_are_none_are_refused(weights):
    """Too few, too many, all 0, negative, not finite."""
    with pytest.raises(UsageError, match=r"[Ww]eights"):
        WeightedEnvSampler(TRAIN, weights=weights)


def test_the_game_that_goes_badly_is_taken_more_often():
    """By hand: means −1 and +1 at temperature 1 weigh e and 1/e; a fifth of the draws goes by chance alone."""
    sampler = RecentRewardEnvSampler(TRAIN, window=2)
    assert sampler.probabilities() == pytest.approx((0.5, 0.5))
    for reward in (9.0, -2.0, 0.0):  # the first is out of the window by then
        sampler.update("Kuhn-v0", reward)
    sampler.update("TicTacToe-v0-train", 1.0)
    share = math.e / (math.e + 1 / math.e)
    assert sampler.probabilities() == pytest.approx((0.1 + 0.8 * share, 0.1 + 0.8 * (1 - share)))
    counts = Counter(sampler.sample_train(seed).env_id for seed in range(2_000))
    assert abs(counts["Kuhn-v0"] - 2_000 * sampler.probabilities()[0]) < 90


@given(st.lists(st.tuples(st.sampled_from(["Kuhn-v0", "TicTacToe-v0-train", "other"]), st.floats(-1e3, 1e3))))
def test_no_game_is_given_up(games):
    """Whatever the rewards, each keeps its part of what goes by chance, and all parts make 1."""
    sampler = RecentRewardEnvSampler(TRAIN, window=5)
    for env_id, reward in games:
        sampler.update(env_id, reward)
    assert sum(sampler.probabilities()) == pytest.approx(1.0)
    assert min(sampler.probabilities()) >= 0.1 - 1e-12


def test_recent_rewards_come_back():
    """A restored sampler draws on as the other one would."""
    sampler, other = RecentRewardEnvSampler(TRAIN, window=3), RecentRewardEnvSampler(TRAIN, window=3)
    for reward in (1.0, -1.0, 0.25, 0.5):
        sampler.update("Kuhn-v0", reward)
    other.load_state_dict(through_a_checkpoint(sampler.state_dict()))
    assert other.probabilities() == sampler.probabilities()
    assert other.state_dict() == sampler.state_dict()
    for one in (sampler, other):
        one.update("Kuhn-v0", 2.0)
    assert other.probabilities() == sampler.probabilities()


def test_nothing_to_play_is_an_error():
    """No game to learn from when it is made; none to be measured by when one is asked for."""
    with pytest.raises(UsageError, match="train_env_specs must hold"):
        UniformRandomEnvSampler([])
    with pytest.raises(UsageError, match="eval_env_specs is empty"):
        UniformRandomEnvSampler(TRAIN).sample_eval(1)


@pytest.mark.parametrize("changes", [{"window": 0}, {"temperature": 0.0}, {"uniform": 1.5}])
def test_env_sampler_settings_out_of_range_are_refused(changes):
    """Naming the setting."""
    with pytest.raises(UsageError, match=next(iter(changes))):
        RecentRewardEnvSampler(TRAIN, **changes)


# Models


def test_mirror_is_the_current_policy():
    """Whatever the seed, and from the next checkpoint on the next one; only it has to stay."""
    registry = registry_of(3, ("random",))
    for sampler in (BaseModelSampler(registry), MirrorModelSampler(registry)):
        assert {sampler.sample_opponent(seed) for seed in range(20)} == {"2"}
        assert sampler.needs() == ("2",)


def test_fixed_opponents_are_drawn_alike():
    """All that the registry has, or those named; who is not there is an error at once."""
    registry = registry_of(1, ("random", "scripted", "minimax"))
    counts = Counter(FixedOpponentModelSampler(registry).sample_opponent(seed) for seed in range(3_000))
    assert all(abs(counts[name] - 1_000) < 130 for name in registry.fixed)
    named = FixedOpponentModelSampler(registry, ["minimax"])
    assert {named.sample_opponent(seed) for seed in range(20)} == {"minimax"}
    with pytest.raises(UnknownNameError, match="Did you mean 'minimax'"):
        FixedOpponentModelSampler(registry, ["minmax"])
    with pytest.raises(UsageError, match="no fixed opponent"):
        FixedOpponentModelSampler(registry_of(1)).sample_opponent(1)


def test_lagged_opponents_are_so_many_checkpoints_old():
    """Two to four back of ten: 7, 6 and 5, each as often; of two there are, the oldest."""
    sampler = LaggedModelSampler(registry_of(10), (2, 4))
    counts = Counter(sampler.sample_opponent(seed) for seed in range(3_000))
    assert set(counts) == {"5", "6", "7"}
    assert all(abs(count - 1_000) < 130 for count in counts.values())
    assert sampler.needs() == ("5", "6", "7", "8", "9")
    young = LaggedModelSampler(registry_of(2), (2, 4))
    assert {young.sample_opponent(seed) for seed in range(20)} == {"0"}
    with pytest.raises(UsageError, match="lag_range"):
        LaggedModelSampler(registry_of(1), (3, 2))


def test_lagged_opponents_are_always_among_those_kept():
    """As the registry grows, whom it draws is never one whose adapter had been given up."""
    registry = registry_of(1)
    sampler, gone = LaggedModelSampler(registry, (1, 3)), set()
    for number in range(1, 12):
        registry.add_checkpoint(str(number), None, number)
        gone |= set(registry.checkpoints) - set(sampler.needs())
        assert not gone & {sampler.sample_opponent(seed) for seed in range(30)}


def test_match_quality_prefers_equals():
    """Weights are TrueSkill's quality to the power asked for; the weaker a match, the rarer."""
    registry = registry_of(1, ("equal", "weak"))
    for _ in range(30):
        registry.update_ratings(["0", "weak"], [1.0, -1.0], "Kuhn-v0")
        registry.update_ratings(["0", "equal"], [0.0, 0.0], "Kuhn-v0")
    sampler = MatchQualityModelSampler(registry, opponents="fixed", sharpness=2.0)
    assert sampler.candidates() == ("equal", "weak")
    assert sampler.weights() == pytest.approx(
        (registry.quality("0", "equal") ** 2, registry.quality("0", "weak") ** 2)
    )
    counts = Counter(sampler.sample_opponent(seed) for seed in range(500))
    assert counts["equal"] > 4 * counts["weak"]


def test_the_published_weightings():
    """f_hard(p) = (1 − p)^k and f_var(p) = p(1 − p), at numbers done in the head."""
    assert hard(0.5, 2.0) == 0.25
    assert hard(0.9, 1.0) == pytest.approx(0.1)
    assert hard(1.0, 2.0) == 0.0
    assert variance(0.5, 2.0) == 0.25
    assert variance(0.9, 7.0) == pytest.approx(0.09)


def test_prioritised_play_meets_those_it_does_not_beat():
    """By hand: 8 of 8 games won against one, 0 of 8 against another; with two even games of prior p is 0.9 and 0.1."""
    registry = registry_of(1, ("weak", "strong"))
    sampler = PrioritisedModelSampler(registry, opponents="fixed")
    for _ in range(8):
        sampler.update("weak", 1.0)
        sampler.update("strong", 0.0)
    assert sampler.win_rate("weak") == pytest.approx(0.9)
    assert sampler.win_rate("strong") == pytest.approx(0.1)
    assert sampler.weights() == pytest.approx((0.01, 0.81))
    counts = Counter(sampler.sample_opponent(seed) for seed in range(1_000))
    assert counts["strong"] > 960
    even = PrioritisedModelSampler(registry, opponents="fixed", weighting="variance")
    for _ in range(8):
        even.update("weak", 1.0)
    assert even.weights() == pytest.approx((0.09, 0.25))


@given(
    st.lists(st.tuples(st.sampled_from(["0", "1", "2", "random"]), st.sampled_from([0.0, 0.5, 1.0]))),
    st.sampled_from(["hard", "variance"]),
    st.floats(0.0, 8.0),
)
def test_prioritised_weights_are_shares_that_fall_with_success(games, weighting, power):
    """Each in [0, 1]; by the hard form, who is beaten more often never weighs more."""
    sampler = PrioritisedModelSampler(registry_of(3, ("random",)), weighting=weighting, power=power)
    for opponent, score in games:
        sampler.update(opponent, score)
    weights = sampler.weights()
    assert all(0.0 <= weight <= 1.0 for weight in weights)
    assert sampler.sample_opponent(3) in sampler.candidates()
    if weighting == "hard":
        pairs = sorted(zip(map(sampler.win_rate, sampler.candidates()), weights, strict=True))
        ordered = [weight for _, weight in pairs]
        assert ordered == sorted(ordered, reverse=True)


def test_the_window_forgets_old_games():
    """Of many games the last ones count."""
    sampler = PrioritisedModelSampler(registry_of(1, ("a",)), window=4, prior=1.0)
    for score in [1.0] * 50 + [0.0] * 4:
        sampler.update("a", score)
    assert sampler.win_rate("a") == pytest.approx(0.1)


def test_the_pool_is_bounded_and_spread_over_the_past():
    """Of 100 checkpoints eight stay, the first and the newest among them; who has left never comes back."""
    registry = registry_of(1)
    sampler, gone = PrioritisedModelSampler(registry, opponents="checkpoints", most=8), set()
    for number in range(1, 100):
        registry.add_checkpoint(str(number), None, number)
        needs = sampler.needs()
        assert not gone & set(needs)
        gone |= set(registry.checkpoints) - set(needs)
        assert len(needs) == min(8, number + 1)
        assert needs[0] == "0"
        assert needs[-1] == str(number)
    ages = [int(uid) for uid in sampler.needs()]
    assert max(b - a for a, b in pairwise(ages)) <= 40


def test_the_pool_does_not_depend_on_when_one_looks():
    """A sampler that is asked after every checkpoint and one that is asked at the end hold the same."""
    registry = registry_of(1)
    often, late = (MatchQualityModelSampler(registry, most=5) for _ in range(2))
    for number in range(1, 40):
        registry.add_checkpoint(str(number), None, number)
        often.needs()
    assert late.needs() == often.needs()
    assert late.state_dict() == often.state_dict()


def test_prioritised_state_comes_back():
    """The pool and the games against it, bit for bit; both draw on alike."""
    registry = registry_of(30, ("random",))
    sampler = PrioritisedModelSampler(registry, most=6)
    for number in range(40):
        sampler.update(sampler.sample_opponent(number), (number % 3) / 2)
    other = PrioritisedModelSampler(registry, most=6)
    other.load_state_dict(through_a_checkpoint(sampler.state_dict()))
    assert encode(other.state_dict()) == encode(sampler.state_dict())
    assert [other.sample_opponent(n) for n in range(50)] == [sampler.sample_opponent(n) for n in range(50)]


@pytest.mark.parametrize("checkpoints", [2, 7, 12, 30])
def test_the_pool_can_be_restored_before_the_registry(checkpoints):
    """A pool that is looked at while the registry is still empty takes nobody in twice afterwards."""
    registry, young = registry_of(checkpoints), registry_of(1)
    sampler, other = PrioritisedModelSampler(registry, most=6), PrioritisedModelSampler(young, most=6)
    other.load_state_dict(through_a_checkpoint(sampler.state_dict()))
    assert other.needs() == sampler.needs()
    young.load_state_dict(through_a_checkpoint(registry.state_dict()))
    assert other.needs() == sampler.needs()


def test_games_against_who_has_left_are_not_kept():
    """A game in flight may end against a checkpoint that the pool has dropped."""
    registry = registry_of(30)
    sampler = PrioritisedModelSampler(registry, most=3)
    left = next(uid for uid in registry.checkpoints if uid not in sampler.needs())
    sampler.update(left, 1.0)
    assert sampler.state_dict()["scores"] == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weighting": "hrd"}, "Did you mean 'hard'"),
        ({"opponents": "check"}, "checkpoints"),
        ({"power": -1.0}, "power"),
        ({"window": 0}, "window"),
        ({"prior": 0.0}, "prior"),
        ({"most": 2}, "most"),
    ],
)
def test_model_sampler_settings_out_of_range_are_refused(changes, words):
    """Naming the setting, and the nearest legal name."""
    with pytest.raises(UsageError, match=words):
        PrioritisedModelSampler(registry_of(1), **changes)


def test_nobody_to_draw_is_an_error():
    """A pool of fixed opponents where there are none."""
    with pytest.raises(UsageError, match="add a fixed one"):
        MatchQualityModelSampler(registry_of(1), opponents="fixed").sample_opponent(1)


def test_strategies_have_names():
    """Those of Unstable Baselines, and ours; each makes a sampler from a registry alone."""
    names = {"none", "mirror", "fixed", "lagged", "match-quality", "prioritised", "pfsp"}
    assert names == set(MODEL_SAMPLERS)
    assert ENV_SAMPLERS["random"] is UniformRandomEnvSampler
    registry = registry_of(2, ("random",))
    for name, sampler in MODEL_SAMPLERS.items():
        assert sampler(registry).sample_opponent(1) in registry.ratings, name
