"""The scheduler: seeds, seats, who plays, what is running, and that all of it comes back."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.game_scheduler import GameScheduler
from kit.league.game_spec import EVAL, TRAIN
from kit.league.model_registry import ModelRegistry
from kit.league.samplers import (
    FixedOpponentModelSampler,
    MirrorModelSampler,
    PrioritisedModelSampler,
    RecentRewardEnvSampler,
    UniformRandomEnvSampler,
)
from kit.tensors import decode, encode
from tests.league.made_records import made_record

MIRROR = TrainEnvSpec("Kuhn-v0", 2, 2, "compact")
VERSUS = TrainEnvSpec("TicTacToe-v0-train", 2, 1, "qwen3-zs")
MEASURED = [EvalEnvSpec("Kuhn-v0", 2, "compact", "random"), EvalEnvSpec("Kuhn-v0", 2, "compact", "minimax")]


def made(
    *train: TrainEnvSpec,
    seed: int = 0,
    sampler: type = MirrorModelSampler,
    environments: type = UniformRandomEnvSampler,
) -> GameScheduler:
    """A scheduler of these games, with two checkpoints and two fixed opponents."""
    registry = ModelRegistry()
    registry.add_checkpoint("base", None, 0)
    registry.add_checkpoint("1", "adapters/000001", 1)
    return GameScheduler(seed, environments(train, MEASURED), sampler(registry), registry)


def test_a_mirror_game_is_played_by_the_current_policy_alone():
    """As many actors as players: each of them learns, nobody is drawn."""
    spec = made(MIRROR).next_train()
    assert spec.kind == TRAIN
    assert [one.pid for one in spec.players] == [0, 1]
    for one in spec.players:
        assert (one.uid, one.adapter, one.policy_version) == ("1", "adapters/000001", 1)
        assert one.learns
        assert one.template == "compact"


def test_the_actor_takes_every_seat():
    """One actor of two players: it sits first in a half of 1,000 games, to within five standard deviations (79)."""
    scheduler = made(VERSUS, sampler=FixedOpponentModelSampler)
    specs = [scheduler.next_train() for _ in range(1_000)]
    first = sum(spec.players[0].learns for spec in specs)
    assert abs(first - 500) < 79
    for spec in specs:
        (actor,) = (one for one in spec.players if one.learns)
        (opponent,) = (one for one in spec.players if not one.learns)
        assert actor.uid == "1"
        assert opponent.uid in ("random", "minimax")
        assert (opponent.policy_version, opponent.adapter) == (-1, None)
    assert {one.uid for spec in specs for one in spec.players} == {"1", "random", "minimax"}


def test_each_opponent_of_a_game_is_drawn_for_itself():
    """With two opponents, both names and all their pairs come."""
    scheduler = made(TrainEnvSpec("Three-v0", 3, 1, "compact"), sampler=FixedOpponentModelSampler)
    pairs = Counter(
        tuple(sorted(one.uid for one in scheduler.next_train().players if not one.learns)) for _ in range(200)
    )
    assert set(pairs) == {("minimax", "minimax"), ("minimax", "random"), ("random", "random")}


def test_evaluation_is_against_the_fixed_opponent_and_nobody_learns():
    """The policy in either seat; opponents of evaluation are in the registry from the beginning."""
    scheduler = made(MIRROR)
    assert scheduler.registry.fixed == ("random", "minimax")
    specs = [scheduler.next_eval() for _ in range(200)]
    assert not any(one.learns for spec in specs for one in spec.players)
    seats = Counter((spec.players[0].uid == "1", spec.players[1].uid == "1") for spec in specs)
    assert set(seats) == {(True, False), (False, True)}
    assert {one.uid for spec in specs for one in spec.players} == {"1", "random", "minimax"}


def test_no_two_games_have_a_seed_or_a_number():
    """Of 4,000 games of training and evaluation, and of a league of another seed; the last bit tells the kind."""
    scheduler, other = made(MIRROR), made(MIRROR, seed=1)
    specs = [scheduler.next_eval() if n % 5 == 0 else scheduler.next_train() for n in range(4_000)]
    more = [other.next_train() for _ in range(1_000)]
    assert len({spec.seed for spec in [*specs, *more]}) == 5_000
    assert [spec.number for spec in specs] == list(range(4_000))
    assert all(spec.seed % 2 == (spec.kind == EVAL) for spec in specs)
    assert all(0 <= spec.seed < 2**63 for spec in specs)


def test_evaluation_changes_nothing_about_training():
    """The seeds and players of training are the same, however much is evaluated in between."""
    busy, plain = made(MIRROR, VERSUS), made(MIRROR, VERSUS)
    for _ in range(50):
        busy.next_eval()
        one, other = busy.next_train(), plain.next_train()
        assert (one.seed, one.env_id, one.players) == (other.seed, other.env_id, other.players)


def test_running_games_are_counted_until_they_are_finished():
    """By kind; a game that broke is off too; one that is not running cannot finish."""
    scheduler = made(MIRROR)
    one, other, third = scheduler.next_train(), scheduler.next_eval(), scheduler.next_train()
    assert (scheduler.running(TRAIN), scheduler.running(EVAL), scheduler.running()) == (2, 1, 3)
    scheduler.finished(made_record(one, [1.0, -1.0]))
    scheduler.finished(made_record(other, [1.0, -1.0]))
    scheduler.finished(made_record(third, [], fault="the environment threw"))
    assert scheduler.running() == 0
    assert [scheduler.view()[kind]["made"] for kind in (TRAIN, EVAL)] == [2, 1]
    with pytest.raises(UsageError, match="Game 0 is not running"):
        scheduler.finished(made_record(one, [1.0, -1.0]))
    assert scheduler.view() == {"train": {"made": 2, "running": 0}, "eval": {"made": 1, "running": 0}}


def test_samplers_learn_from_games_of_training_that_did_not_break():
    """The mean reward of those who learn, and the score against the others; evaluation teaches them nothing."""
    scheduler = made(VERSUS, sampler=PrioritisedModelSampler, environments=RecentRewardEnvSampler)
    spec = scheduler.next_train()
    seat = next(one.pid for one in spec.players if one.learns)
    opponent = spec.players[1 - seat].uid
    rewards = [0.0, 0.0]
    rewards[seat], rewards[1 - seat] = 1.0, -1.0
    scheduler.finished(made_record(spec, rewards))
    assert scheduler.model_sampler.win_rate(opponent) == pytest.approx(2.0 / 3.0)
    assert scheduler.env_sampler.state_dict() == {"rewards": {"TicTacToe-v0-train": [1.0]}}
    before = encode(scheduler.state_dict())
    broken, measured = scheduler.next_train(), scheduler.next_eval()
    scheduler.finished(made_record(broken, [], fault="x"))
    scheduler.finished(made_record(measured, [1.0, -1.0]))
    state = scheduler.state_dict()
    state["made"] = {"train": 1, "eval": 0}
    assert encode(state) == before


@given(st.integers(0, 60), st.integers(0, 2**31))
def test_a_restored_scheduler_goes_on_as_the_other_would(games, seed):
    """After any number of games, some still running: the same specs, the same state, bit for bit."""
    scheduler, other = (
        made(MIRROR, VERSUS, seed=seed, sampler=PrioritisedModelSampler, environments=RecentRewardEnvSampler)
        for _ in range(2)
    )
    for number in range(games):
        spec = scheduler.next_eval() if number % 4 == 0 else scheduler.next_train()
        if number % 3:
            scheduler.finished(made_record(spec, [number % 2, 1 - number % 2]))
    other.registry.load_state_dict(decode(encode(scheduler.registry.state_dict())))
    other.load_state_dict(decode(encode(scheduler.state_dict())))
    assert encode(other.state_dict()) == encode(scheduler.state_dict())
    assert other.running() == scheduler.running()
    assert [other.next_train() for _ in range(5)] == [scheduler.next_train() for _ in range(5)]
    assert other.next_eval() == scheduler.next_eval()


def test_a_registry_comes_back_bit_for_bit():
    """Players in their order, ratings, counts; and it rates on alike."""
    registry = made(MIRROR).registry
    for number in range(20):
        registry.update_ratings(["1", "random"], [number % 3, 1.0], "Kuhn-v0")
        registry.update_ratings(["1", "1"], [1.0, -1.0], "Kuhn-v0")
    other = ModelRegistry()
    other.load_state_dict(decode(encode(registry.state_dict())))
    for one in (registry, other):
        one.update_ratings(["minimax", "random"], [1.0, -1.0], "Kuhn-v0")
        one.add_checkpoint("2", "adapters/000002", 2)
    assert encode(other.state_dict()) == encode(registry.state_dict())
    assert other.ratings == registry.ratings
    assert other.view() == registry.view()
