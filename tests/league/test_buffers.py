"""Both buffers: what comes in goes out once, what is pushed out is counted, and they come back as they were."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.league.episode_buffer import EpisodeBuffer
from kit.league.packed_steps import pack, unpack
from kit.league.reward_transforms import (
    NormalizeRewards,
    RewardForFormat,
    RoleAdvantageFormatter,
    SamplingRewardTransform,
    StepRewardTransform,
)
from kit.league.step_buffer import StepBuffer
from kit.tensors import decode, encode
from tests.league.made_records import any_steps, made_record, made_spec

BOTH = pytest.mark.parametrize("kind", [StepBuffer, EpisodeBuffer])
games = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([-1.0, 0.0, 1.0])), max_size=30)


def record(number: int, steps: int = 2, reward: float = 1.0, **changes):
    """A mirror game of that number: both of two players learn, ``steps`` steps each."""
    spec = made_spec(number, learns=(True, True), versions=(0, 0), uids=("base", "base"))
    return made_record(spec, [reward, -reward], steps=steps, **changes)


def flat(batch):
    """A batch's steps, whatever it is a batch of."""
    return [step for one in batch for step in (one if isinstance(one, list) else [one])]


def name_of(step):
    """Which step it is."""
    return (step.game, step.pid, step.turn)


def test_every_step_is_worth_the_outcome_without_a_critic():
    """The step buffer: each step of the winner 1, of the loser −1."""
    buffer = StepBuffer(10)
    buffer.add(record(0, steps=3))
    rewards = {name_of(step): step.reward for step in buffer.sample(6)}
    assert rewards == {(0, pid, turn): 1.0 - 2.0 * pid for pid in range(2) for turn in range(3)}


def test_the_outcome_stands_once_in_an_episode():
    """The episode buffer: in the last step, 0 before it; the sum is the outcome."""
    buffer = EpisodeBuffer(10)
    buffer.add(record(0, steps=3))
    episodes = sorted(buffer.sample(6), key=lambda episode: episode[0].pid)
    assert [[step.reward for step in episode] for episode in episodes] == [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]
    assert [[step.turn for step in episode] for episode in episodes] == [[0, 1, 2]] * 2


class _Doubled(SamplingRewardTransform):
    """Doubles rewards."""

    def __call__(self, steps):
        return [replace(step, reward=2.0 * step.reward) for step in steps]


@pytest.mark.parametrize(("kind", "early"), [(StepBuffer, 1.0), (EpisodeBuffer, 0.0)])
def test_the_three_pipelines_run_in_their_order(kind, early):
    """By hand: final (once a player, tau 0.5: averages 0, then ±0.5), plus 0.25 for the form, all of it doubled.

    ``early`` is how much of the final reward a step before the last one has.
    """
    buffer = kind(
        10,
        final_reward_transformation=RoleAdvantageFormatter(0.5),
        step_reward_transformation=RewardForFormat(0.25),
        sampling_reward_transformation=_Doubled(),
    )
    for number, final in ((0, 1.0), (1, 0.5)):
        buffer.add(record(number))
        assert {name_of(step): step.reward for step in flat(buffer.sample(4))} == {
            (number, 0, 0): 2.0 * (early * final + 0.25),
            (number, 0, 1): 2.0 * (final + 0.25),
            (number, 1, 0): 2.0 * (-early * final + 0.25),
            (number, 1, 1): 2.0 * (-final + 0.25),
        }


@BOTH
@given(games=games)
def test_what_comes_in_goes_out_once_or_is_counted_as_evicted(kind, games):
    """Through any games: held + drawn + evicted = added; no step is drawn twice; the buffer never is over its size.

    Of episodes by less than one of them at most.
    """
    buffer, drawn = kind(12), []
    rest = max((steps for steps, _ in games), default=0) - 1 if kind is EpisodeBuffer else 0
    for number, (steps, reward) in enumerate(games):
        buffer.add(record(number, steps, reward))
        assert len(buffer) <= 12 + max(0, rest)
        if number % 4 == 3 and buffer.ready(5):
            drawn += map(name_of, flat(buffer.sample(5)))
    assert len(set(drawn)) == len(drawn)
    assert len(buffer) + len(drawn) + buffer.evicted == buffer.added == sum(2 * steps for steps, _ in games)


@BOTH
def test_eviction_takes_any_as_likely(kind):
    """Over 400 seeds, each of five games loses its turn about as often; the newest too."""
    lost = Counter()
    for seed in range(400):
        buffer = kind(8, seed=seed)
        for number in range(5):
            buffer.add(record(number, steps=1))
        there = {step.game for step in flat(buffer.sample(8))}
        lost.update(set(range(5)) - there)
        assert buffer.evicted == 2
    assert all(lost[number] > 0 for number in range(5))


def test_a_batch_is_drawn_evenly_and_is_gone():
    """Two of four steps: over 600 seeds each is drawn in a half, to within five standard deviations (62)."""
    counts = Counter()
    for seed in range(600):
        buffer = StepBuffer(4, seed=seed)
        buffer.add(record(0))
        batch = {name_of(step) for step in buffer.sample(2)}
        rest = {name_of(step) for step in buffer.sample(2)}
        assert not batch & rest
        assert len(buffer) == 0
        counts.update(batch)
    assert all(abs(count - 300) < 62 for count in counts.values())


def test_episodes_come_whole_until_there_are_enough_steps():
    """Batches count steps: seven of episodes of three take three of them, nine steps."""
    buffer = EpisodeBuffer(100)
    for number in range(5):
        buffer.add(record(number, steps=3))
    batch = buffer.sample(7)
    assert [len(episode) for episode in batch] == [3, 3, 3]
    assert len(buffer) == 21
    assert len(buffer.state_dict()["lengths"]) == 7


def test_an_episode_longer_than_the_buffer_is_not_lost_for_that():
    """It pushes out the others at most; alone it stays, and can be drawn."""
    buffer = EpisodeBuffer(4)
    spec = made_spec(learns=(True, False))
    buffer.add(made_record(spec, [1.0, -1.0], steps=9))
    assert (len(buffer), buffer.evicted) == (9, 0)
    assert [len(episode) for episode in buffer.sample(4)] == [9]


@BOTH
def test_collection_stops_before_anything_is_lost(kind):
    """What is held and what the games in flight will bring, at the mean so far, has to fit; nothing held: go on."""
    buffer = kind(20)
    assert buffer.continue_collection()
    buffer.add(record(0, steps=2))  # four steps a game
    assert buffer.continue_collection(in_flight=3)
    assert not buffer.continue_collection(in_flight=4)
    for number in range(1, 5):
        buffer.add(record(number, steps=2))
    assert not buffer.continue_collection()
    buffer.sample(8)
    assert buffer.continue_collection()


@BOTH
def test_games_are_few_until_it_is_known_how_long_they_are(kind):
    """Four until one has ended, and four more for each that has; a buffer smaller than that begins fewer."""
    buffer = kind(1_000)
    for number in range(3):
        allowed = [in_flight for in_flight in range(1_000) if buffer.continue_collection(in_flight)]
        assert allowed == list(range(4 + 4 * number))
        buffer.add(record(number, steps=2))
    assert not kind(2).continue_collection(in_flight=2)


def test_whole_episodes_can_always_fill_a_batch():
    """As large as the buffer, and no multiple of an episode: what is evicted never leaves too little."""
    buffer = EpisodeBuffer(10)
    for number in range(20):
        buffer.add(record(number, steps=3))
        assert buffer.ready(10) == (number >= 1)
    assert len(buffer) == 12
    assert sum(map(len, buffer.sample(10))) == 12


@BOTH
def test_back_pressure_that_is_heeded_evicts_nothing(kind):
    """A collector with 8 games in flight and a learner that draws when it can: 200 games of four steps, none lost."""
    buffer, running, number, drawn = kind(40), 0, 0, 0
    while number < 200:
        while running < 8 and buffer.continue_collection(running):
            running += 1
        if running:
            buffer.add(record(number, steps=2))
            number, running = number + 1, running - 1
        if buffer.ready(16):
            drawn += len(flat(buffer.sample(16)))
    assert buffer.evicted == 0
    assert drawn + len(buffer) == 800


@BOTH
def test_a_broken_game_brings_nothing_and_is_counted(kind):
    """Nor does it move an average."""
    buffer = kind(10, final_reward_transformation=RoleAdvantageFormatter())
    before = buffer.final.state_dict()
    buffer.add(record(0, fault="the environment threw"))
    assert (len(buffer), buffer.broken, buffer.games) == (0, 1, 0)
    assert buffer.final.state_dict() == before
    assert buffer.view() == {"steps": 0, "capacity": 10, "games": 0, "evicted": 0, "broken": 1}


class _Bad(StepRewardTransform):
    """Gives no number for the second step."""

    def __call__(self, player_traj, step_index, reward):
        return reward if step_index == 0 else float("nan")


class _Drops(SamplingRewardTransform):
    """Keeps the first step only."""

    def __call__(self, steps):
        return steps[:1]


@BOTH
def test_a_transform_that_misbehaves_is_named_by_what_it_did(kind):
    """A reward that is not finite names its game, player and turn; a batch must stay whole."""
    with pytest.raises(
        UsageError, match=r"game 7 \(Kuhn-v0\), player 0, turn 1 came out of the transforms as nan"
    ):
        kind(10, step_reward_transformation=_Bad()).add(record(7))
    buffer = kind(10, sampling_reward_transformation=_Drops())
    buffer.add(record(0))
    with pytest.raises(UsageError, match="made 1 steps of 4"):
        buffer.sample(4)


@BOTH
def test_more_than_is_there_cannot_be_drawn(kind):
    """Nor can a batch ever be larger than the buffer; nor is a buffer of nothing one."""
    buffer = kind(10)
    buffer.add(record(0))
    assert not buffer.ready(5)
    with pytest.raises(UsageError, match="5 steps were asked for, 4 are there"):
        buffer.sample(5)
    for size in (0, 11):
        with pytest.raises(UsageError, match=f"batch_size must be 1 to 10 .* not {size}"):
            buffer.ready(size)
    with pytest.raises(UsageError, match="max_buffer_size must be at least 1"):
        kind(0)


@BOTH
@given(before=games, after=games, seed=st.integers(0, 2**62))
def test_a_restored_buffer_goes_on_as_the_other_would(kind, before, after, seed):
    """Evictions, batches, averages: all bit for bit."""
    buffer, other = (
        kind(
            10,
            seed=seed,
            final_reward_transformation=RoleAdvantageFormatter(0.1),
            sampling_reward_transformation=NormalizeRewards(True),
        )
        for _ in range(2)
    )
    for number, (steps, reward) in enumerate(before):
        buffer.add(record(number, steps, reward))
        if number % 5 == 4 and buffer.ready(3):
            buffer.sample(3)
    other.load_state_dict(decode(encode(buffer.state_dict())))
    assert encode(other.state_dict()) == encode(buffer.state_dict())
    for number, (steps, reward) in enumerate(after, start=len(before)):
        for one in (buffer, other):
            one.add(record(number, steps, reward))
        if buffer.ready(4):
            assert buffer.sample(4) == other.sample(4)
    assert encode(other.state_dict()) == encode(buffer.state_dict())


@given(any_steps())
def test_packed_steps_come_back_exactly(steps):
    """Through a checkpoint: every token, every last bit of a log-probability, every character."""
    assert unpack(decode(encode(pack(steps)))) == steps
