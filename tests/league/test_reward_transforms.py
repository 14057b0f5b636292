"""Reward transforms, by numbers done by hand; and that no batch, however equal, gives NaN."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.league.reward_transforms import (
    ComposeFinalRewardTransforms,
    ComposeSamplingRewardTransforms,
    ComposeStepRewardTransforms,
    NormalizeRewards,
    NormalizeRewardsByEnv,
    PenaltyForInvalidMove,
    PromptValue,
    RewardForFormat,
    RoleAdvantageByEnvFormatter,
    RoleAdvantageFormatter,
)
from kit.league.trajectory import Trajectory
from kit.tensors import decode, encode
from tests.league.made_records import made_step

rewards_alike = st.tuples(st.floats(-1e9, 1e9), st.integers(1, 60)).map(lambda pair: [pair[0]] * pair[1])
rewards_any = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def trajectory(*steps: dict) -> Trajectory:
    """A trajectory of steps with these changes."""
    made = tuple(made_step(turn, **changes) for turn, changes in enumerate(steps))
    return Trajectory(0, "Kuhn-v0", 0, "base", made, 1.0)


def rewards_of(transform, rewards, env_ids=None):
    """What a sampling transform makes of these rewards."""
    names = env_ids or ["Kuhn-v0"] * len(rewards)
    steps = [
        made_step(n, reward=one, env_id=name)
        for n, (one, name) in enumerate(zip(rewards, names, strict=True))
    ]
    done = transform(steps)
    assert [step.turn for step in done] == list(range(len(rewards)))
    return [step.reward for step in done]


def test_role_advantage_is_what_the_seat_did_not_get_before():
    """By hand with tau 0.5: averages of seat 0 are 0, 1, 0; the reward is held against the one before it."""
    transform = RoleAdvantageFormatter(tau=0.5)
    assert transform(2.0, 0) == 2.0
    assert transform(-1.0, 0) == -2.0
    assert transform(1.0, 0) == 1.0
    assert transform(1.0, 1) == 1.0


def test_role_advantage_by_environment_keeps_games_apart():
    """The same seat of another game has its own average; without the environment they share it."""
    apart, together = RoleAdvantageByEnvFormatter(tau=0.5), RoleAdvantageFormatter(tau=0.5)
    for transform in (apart, together):
        transform(2.0, 0, "Kuhn-v0")
    assert apart(1.0, 0, "TicTacToe-v0") == 1.0
    assert together(1.0, 0, "TicTacToe-v0") == 0.0


def test_role_advantage_finds_the_first_players_advantage():
    """Where the first player wins three of four the average goes to 0.5, and rewards are even again."""
    transform = RoleAdvantageFormatter(tau=0.01)
    late = [transform(-1.0 if n % 4 == 3 else 1.0, 0) for n in range(4_000)][-400:]
    assert sum(late) / len(late) == pytest.approx(0.0, abs=0.02)


def test_role_advantage_comes_back():
    """Bit for bit, seats and games as they were."""
    transform, other = RoleAdvantageByEnvFormatter(), RoleAdvantageByEnvFormatter()
    for n in range(20):
        transform(n / 7, n % 3, f"game {n % 2}")
    other.load_state_dict(decode(encode(transform.state_dict())))
    assert encode(other.state_dict()) == encode(transform.state_dict())
    assert other(1.0, 2, "game 1") == transform(1.0, 2, "game 1")


@pytest.mark.parametrize("tau", [0.0, -0.1, 1.5, math.nan])
def test_a_tau_that_is_no_share_is_refused(tau):
    """Naming it."""
    with pytest.raises(UsageError, match="tau"):
        RoleAdvantageFormatter(tau)


def test_format_and_legality_are_paid_for_step_by_step():
    """As documented: (1.5) adds 1.5 where the form is right; (1, −1) adds one or the other by the game's verdict."""
    made = trajectory({}, {"format_ok": False, "legal": False}, {"legal": False})
    form, move = RewardForFormat(1.5), PenaltyForInvalidMove(1.0, -1.0)
    assert [form(made, index, 1.0) for index in range(3)] == [2.5, 1.0, 2.5]
    assert [move(made, index, 1.0) for index in range(3)] == [2.0, 0.0, 0.0]
    assert RewardForFormat(reward=0.25, penalty=-0.5)(made, 1, 0.0) == -0.5
    assert [PenaltyForInvalidMove(penalty=-1.0)(made, index, 0.0) for index in range(3)] == [0.0, -1.0, -1.0]


def test_normalising_centres_a_batch():
    """By hand: 1, 2, 3 and 6 have mean 3 and, as a population, variance 14/4."""
    rewards = [1.0, 2.0, 3.0, 6.0]
    assert rewards_of(NormalizeRewards(), rewards) == [-2.0, -1.0, 0.0, 3.0]
    scale = math.sqrt(14.0 / 4.0)
    assert rewards_of(NormalizeRewards(True), rewards) == pytest.approx(
        [-2.0 / scale, -1.0 / scale, 0.0, 3.0 / scale]
    )


def test_normalising_by_environment_keeps_batches_apart():
    """Games with rewards of other sizes are centred and scaled each by itself, in place."""
    rewards, names = [1.0, 100.0, 3.0, 300.0], ["a", "b", "a", "b"]
    assert rewards_of(NormalizeRewardsByEnv(), rewards, names) == [-1.0, -100.0, 1.0, 100.0]
    assert rewards_of(NormalizeRewardsByEnv(z_score=True), rewards, names) == [-1.0, -1.0, 1.0, 1.0]


@given(rewards_alike, st.booleans(), st.sampled_from([NormalizeRewards, NormalizeRewardsByEnv]))
def test_equal_rewards_become_0(rewards, z_score, kind):
    """A batch without differences teaches nothing; not even rounding does."""
    assert rewards_of(kind(z_score), rewards) == [0.0] * len(rewards)


@given(rewards_alike, st.integers(0, 59))
def test_rewards_that_differ_by_rounding_are_equal(rewards, place):
    """A sum of the same bonuses in another order must not become an advantage of one standard deviation."""
    rewards[place % len(rewards)] = math.nextafter(rewards[0], math.inf)
    assert rewards_of(NormalizeRewards(True), rewards) == [0.0] * len(rewards)


def test_bonuses_that_cancel_are_nothing():
    """0.1 + 0.2 − 0.3 is 5.6e-17, not an advantage over 0."""
    assert rewards_of(NormalizeRewards(True), [0.1 + 0.2 - 0.3, 0.0, 0.0]) == [0.0, 0.0, 0.0]


@given(rewards_any, st.booleans())
def test_normalised_rewards_are_finite_and_even(rewards, z_score):
    """Their mean is 0, their order what it was; scaled, their standard deviation is 1 or they are all 0."""
    done = rewards_of(NormalizeRewards(z_score), rewards)
    assert all(map(math.isfinite, done))
    size = max(map(abs, done), default=0.0)
    assert abs(math.fsum(done)) <= 1e-9 * max(1.0, size) * len(done) * max(1.0, max(map(abs, rewards)))
    if z_score and any(done):
        deviation = math.sqrt(math.fsum(one * one for one in done) / len(done))
        assert deviation == pytest.approx(1.0, rel=1e-6)


def test_an_empty_batch_stays_one():
    """Nothing in, nothing out."""
    assert NormalizeRewards(True)([]) == NormalizeRewardsByEnv()([]) == []


def test_composed_transforms_run_one_after_another():
    """Each gets what the one before it made; none at all change nothing."""
    made = trajectory({"format_ok": False, "legal": False})
    composed = ComposeStepRewardTransforms([RewardForFormat(1.0, -0.25), PenaltyForInvalidMove(penalty=-1.0)])
    assert composed(made, 0, 1.0) == -0.25
    final = ComposeFinalRewardTransforms([RoleAdvantageFormatter(0.5), RoleAdvantageFormatter(0.5)])
    assert [final(1.0, 0), final(1.0, 0)] == [1.0, 0.0]
    sampling = ComposeSamplingRewardTransforms([NormalizeRewards(), NormalizeRewards(True)])
    assert rewards_of(sampling, [1.0, 3.0]) == [-1.0, 1.0]
    assert ComposeFinalRewardTransforms([])(0.5, 0) == ComposeStepRewardTransforms([])(made, 0, 0.5) == 0.5
    steps = [made_step()]
    assert ComposeSamplingRewardTransforms([])(steps) == steps


def test_composed_state_is_that_of_its_parts():
    """It comes back; that of other parts is refused."""
    composed, other = (
        ComposeFinalRewardTransforms([RoleAdvantageFormatter(0.5), RoleAdvantageByEnvFormatter(0.25)])
        for _ in range(2)
    )
    for n in range(5):
        composed(float(n), n % 2, "Kuhn-v0")
    other.load_state_dict(decode(encode(composed.state_dict())))
    assert other(3.0, 1, "Kuhn-v0") == composed(3.0, 1, "Kuhn-v0")
    assert encode(other.state_dict()) == encode(composed.state_dict())
    with pytest.raises(UsageError, match="of 2 transforms, here are 1"):
        ComposeFinalRewardTransforms([RoleAdvantageFormatter()]).load_state_dict(composed.state_dict())


def values_of(transform, reward, *prompts):
    """What it makes of a game through these prompts that brought ``reward``."""
    played = trajectory(*({"prompt": prompt} for prompt in prompts))
    return [transform(played, index, reward) for index in range(len(prompts))]


def test_a_step_is_worth_what_its_prompt_did_not_bring_before():
    """By hand with λ = 1: V of a is 1 after one game, which counts half, and 0 after two, −1 after the second."""
    transform = PromptValue(lam=1.0)
    assert values_of(transform, 1.0, "a", "b") == [1.0, 1.0]
    assert values_of(transform, -1.0, "a", "c") == [-1.5, -1.0]
    assert values_of(transform, 1.0, "a") == [1.0]
    assert values_of(transform, 1.0, "b") == [0.5]


def test_a_known_position_stands_for_the_rest_of_the_game():
    """By hand with λ = 0: a game that comes through b, worth 1 in 3 visits, is worth ½ of that and ½ of its end."""
    transform = PromptValue(lam=0.0)
    for _ in range(3):
        values_of(transform, 1.0, "b")
    assert values_of(transform, -1.0, "a", "b") == [0.5 * 1.0 + 0.5 * -1.0, -1.0 - 3 / 4]


def test_a_value_follows_a_policy_that_changes():
    """Old games fade: with tau ½ the newest one always makes half of the value."""
    transform = PromptValue(lam=1.0, tau=0.5)
    for reward in (1.0, 1.0, 1.0, 0.0):
        values_of(transform, reward, "a")
    assert [value for value, _ in transform.values.values()] == [0.5]


def test_seats_and_games_do_not_share_values_and_the_table_is_bounded():
    """The same words to another seat, or in another game, are another position; what was not seen for long goes."""
    transform = PromptValue(most=2)
    for changes in ({"pid": 0}, {"pid": 1}, {"env_id": "Other-v0"}):
        played = trajectory({"prompt": "a", **changes})
        assert transform(played, 0, 1.0) == 1.0
        assert transform(played, 0, 1.0) == 0.5
    assert len(transform.values) == 2


def test_values_are_saved_and_put_back():
    """Encoded as a checkpoint encodes them, they make the same of the next game."""
    one, other = PromptValue(most=3), PromptValue(most=3)
    for number in range(5):
        values_of(one, number / 3, "a", str(number))
    other.load_state_dict(decode(encode(one.state_dict())))
    assert list(other.values.items()) == list(one.values.items())
    assert values_of(other, 0.3, "a", "4", "5") == values_of(one, 0.3, "a", "4", "5")


@pytest.mark.parametrize("settings", [{"lam": 1.5}, {"lam": math.nan}, {"tau": 0.0}, {"most": 0}])
def test_settings_of_values_are_checked(settings):
    """Each has its range, and the error names it."""
    with pytest.raises(UsageError, match=next(iter(settings))):
        PromptValue(**settings)
