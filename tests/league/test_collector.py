"""The collector: how many games are in flight, who is told of each, and when it stops."""

import pytest

from kit.errors import GameError, UsageError
from kit.league.collector import Collector, Workers
from kit.league.env_specs import TrainEnvSpec
from kit.league.faults import FaultBound
from kit.league.game_spec import EVAL, TRAIN
from kit.tensors import decode, encode
from tests.league.scripted_league import scripted_league

AGAINST_THE_PAST = [TrainEnvSpec("Countdown", 2, 1, "compact")]
MIRROR = [TrainEnvSpec("Countdown", 2, 2, "compact")]


def parts_of(root, **more):
    """Return the parts of a scripted league."""
    return scripted_league(root, **more).parts


def watched(parts):
    """Return the numbers of games in flight, by kind, that each round begins with."""
    seen, play = [], parts.collector.pool.round

    def look(kinds):
        pool = parts.collector.pool
        seen.append((pool.in_flight(TRAIN), pool.in_flight(EVAL)))
        return play(kinds)

    parts.collector.pool.round = look
    return seen


def test_as_many_games_are_in_flight_as_there_are_workers(tmp_path):
    """Training games as the buffer has room, games that measure beside them, and never more."""
    parts = parts_of(tmp_path, workers=Workers(9, 3), batch_size=60, capacity=10_000)
    parts.collector.collect(20)  # until it is known how long games are, they are few
    seen = watched(parts)
    parts.collector.collect(60)
    assert set(seen) == {(9, 3)}
    assert parts.buffer.ready(60)


def test_the_first_wave_is_not_thrown_away(tmp_path):
    """A thousand idle workers and a small buffer: of the very first batch's games next to nothing is evicted."""
    parts = parts_of(tmp_path, workers=Workers(1_000), batch_size=40, capacity=80, train=MIRROR)
    parts.collector.collect(40)
    assert parts.buffer.evicted <= 0.1 * parts.buffer.added
    assert parts.scheduler.view()[TRAIN]["made"] < 40


def test_a_full_buffer_begins_no_games(tmp_path):
    """Once it is known how long games are, workers for whose games there is no room stay idle, and little is lost."""
    parts = parts_of(tmp_path, workers=Workers(1_000), batch_size=40, capacity=60, train=MIRROR)
    buffer, seen = parts.buffer, watched(parts)
    for batch in range(12):
        parts.collector.collect(40)
        if batch == 5:
            evicted, added = buffer.evicted, buffer.added
        buffer.sample(40)
    assert max(training for training, _ in seen) < 30  # of a game that has 3.7 steps on average
    assert buffer.evicted - evicted < 0.1 * (buffer.added - added)


def test_every_game_reaches_everybody_once(tmp_path):
    """Scheduler, tracker, buffer and registry agree on how many there were; games in flight are the rest."""
    parts = parts_of(tmp_path, train=AGAINST_THE_PAST, workers=Workers(8, 2), batch_size=50, capacity=500)
    parts.registry.add_checkpoint("policy-1", "adapters/000001", 1)
    parts.collector.collect(50)
    pool, counts = parts.collector.pool, parts.tracker.view()["counts"]
    for kind in (TRAIN, EVAL):
        assert parts.scheduler.running(kind) == pool.in_flight(kind)
        assert counts[f"{kind}/games"] == parts.scheduler.view()[kind]["made"] - pool.in_flight(kind)
    assert counts["train/games"] == parts.buffer.games
    met = parts.registry.matches
    assert met.games("policy-1", "base") == counts["train/games"]
    assert met.games("policy-1", "low") + met.games("policy-1", "far") == counts["eval/games"]


def test_mirror_games_rate_nobody(tmp_path):
    """They are counted, and the rating stays."""
    parts = parts_of(tmp_path, train=MIRROR, batch_size=50, capacity=100)
    before = parts.registry.rating("base")
    parts.collector.collect(50)
    assert parts.registry.rating("base") == before
    assert parts.registry.matches.games("base", "base") == parts.buffer.games > 0


def test_an_evaluation_plays_exactly_its_games_and_leaves_the_others(tmp_path):
    """So many, so many at a time, to their end; what is learnt from does not move meanwhile."""
    parts = parts_of(tmp_path)
    parts.collector.collect(20)
    before = parts.collector.pool.state_dict()
    seen = watched(parts)
    records = parts.collector.evaluate(17, 5)
    assert len(records) == 17
    assert {record.spec.kind for record in records} == {EVAL}
    assert max(evaluating for _, evaluating in seen) == 5
    assert parts.collector.pool.state_dict() == before
    assert parts.tracker.view()["counts"]["eval/games"] == 17


def test_an_evaluation_counts_only_the_games_of_its_policy(tmp_path):
    """Games that measured beside the others when the policy was an earlier one are played on, and are not in it."""
    parts = parts_of(tmp_path, workers=Workers(8, 6), batch_size=20)
    parts.collector.collect(20)
    assert parts.collector.pool.in_flight(EVAL), "some are in flight"
    parts.registry.add_checkpoint("policy-1", None, 1)
    records = parts.collector.evaluate(12, 4)
    assert len(records) == 12
    assert all("policy-1" in {one.uid for one in record.spec.players} for record in records)


def test_collecting_goes_on_in_mid_play(tmp_path):
    """From a checkpoint's files: the next batches, ratings and counts are those of a collector that was left alone."""
    one, other = parts_of(tmp_path), parts_of(tmp_path)
    one.collector.collect(24)
    one.buffer.sample(24)
    names = ("registry", "scheduler", "buffer", "tracker", "collector")
    saved = decode(encode({name: getattr(one, name).state_dict() for name in names}))
    assert saved["collector"]["pool"]["games"], "there are games in mid-play"
    for name in names:
        getattr(other, name).load_state_dict(saved[name])
    for _ in range(3):
        for parts in (one, other):
            parts.collector.collect(24)
        assert one.buffer.sample(24) == other.buffer.sample(24)
    for name in names:
        assert getattr(one, name).state_dict().keys() == getattr(other, name).state_dict().keys()
    assert encode(one.collector.state_dict()) == encode(other.collector.state_dict())
    assert one.tracker.row() == other.tracker.row()
    assert one.registry.ratings == other.registry.ratings


def test_broken_games_are_counted_and_the_rest_is_learnt_from(tmp_path):
    """An environment that throws now and then costs its own games."""
    throwing = [TrainEnvSpec("Throws", 2, 2, "compact")]
    parts = parts_of(tmp_path, train=throwing, bound=FaultBound(share=0.6), batch_size=60, capacity=200)
    parts.collector.collect(60)
    counts = parts.tracker.view()["counts"]
    assert parts.buffer.broken == counts["train/faults"] == parts.collector.faults.total > 0
    assert parts.scheduler.running(TRAIN) == parts.collector.pool.in_flight(TRAIN)


def test_an_environment_that_is_out_of_order_ends_the_run(tmp_path):
    """With what it threw."""
    throwing = [TrainEnvSpec("Throws", 2, 2, "compact")]
    parts = parts_of(
        tmp_path, train=throwing, bound=FaultBound(share=0.1, least=10), batch_size=500, capacity=500
    )
    with pytest.raises(GameError, match="ZeroDivisionError: it is Tuesday"):
        parts.collector.collect(500)


def test_a_buffer_that_loses_what_it_gets_is_no_endless_loop(tmp_path):
    """Steps come in and go out again, and a batch is never there: an error, not a spin."""
    parts = parts_of(tmp_path)
    add = parts.buffer.add

    def add_in_vain(record):
        add(record)
        parts.buffer._steps.clear()

    parts.buffer.add = add_in_vain
    with pytest.raises(UsageError, match="held 0 steps at most, and a batch has 24"):
        parts.collector.collect(24)


def test_games_that_nobody_learns_from_are_no_endless_loop(tmp_path):
    """A policy that never gets to move is an error, not a spin; so is a buffer that is too small for a batch."""
    parts = parts_of(tmp_path)
    add = parts.buffer.add

    def add_nothing(record):
        add(type(record)(record.spec, (), record.rewards, record.moves))

    parts.buffer.add = add_nothing
    with pytest.raises(UsageError, match="left nothing to learn from"):
        parts.collector.collect(24)
    with pytest.raises(UsageError, match="batch_size must be 1 to 48"):
        parts.collector.collect(49)


@pytest.mark.parametrize("wrong", [(0, 0), (1, -1)])
def test_workers_that_cannot_be_are_refused(wrong):
    """Somebody has to play."""
    with pytest.raises(UsageError, match="at least 1 train worker"):
        Workers(*wrong)
    assert Collector
