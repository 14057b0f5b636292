"""The tracker: counts and means by hand, the same row whatever the clock, and all of it back from a checkpoint."""

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.league.game_record import Move
from kit.league.game_spec import EVAL
from kit.league.outcome import actors, mean_reward, meetings, opponents
from kit.league.tracker import Tracker
from kit.tensors import decode, encode
from tests.league.made_records import made_record, made_spec

GOOD, ILLEGAL = Move(0, "check", "check", True, True), Move(0, "chek", "", False, False)
THEIRS = Move(1, "bet", "bet", True, False)


def test_means_are_over_the_last_observations():
    """By hand: of 1, 2, 3, 6 the last three have mean 11/3; names in alphabetical order."""
    tracker = Tracker(window=3)
    for value in (1.0, 2.0, 3.0, 6.0):
        tracker.log("loss", value)
    tracker.log("entropy", 0.5)
    assert tracker.row() == {"entropy": 0.5, "loss": pytest.approx(11.0 / 3.0)}
    assert list(tracker.row()) == ["entropy", "loss"]


def test_what_is_not_finite_is_counted_and_in_no_mean():
    """Not silently: there is a column for it."""
    tracker = Tracker()
    for value in (1.0, math.nan, math.inf):
        tracker.log("loss", value)
    assert tracker.row() == {"loss": 1.0, "loss/not_finite": 2}


def test_times_are_in_no_row_and_no_checkpoint():
    """Tokens per second are for those who look on."""
    tracker = Tracker()
    tracker.gauge("tokens/s", 6_512.0)
    assert tracker.row() == {}
    assert tracker.state_dict() == Tracker().state_dict()
    assert tracker.view()["gauges"] == {"tokens/s": 6_512.0}


def test_a_game_of_training_is_counted_by_its_actors_moves():
    """Two moves of the actor, one illegal and of the wrong form; what the opponent does wrong is not ours."""
    tracker = Tracker()
    tracker.log_game(made_record(made_spec(), [-2.0, 2.0], [GOOD, THEIRS, ILLEGAL]))
    assert tracker.row() == {
        "train/games": 1,
        "train/faults": 0,
        "train/moves": 2,
        "train/illegal": 1,
        "train/bad_format": 1,
        "train/illegal_rate": 0.5,
        "train/format_rate": 0.5,
        "train/length": 3.0,
        "train/reward": -2.0,
        "train/answer_tokens": 2.0,
        "train/Kuhn-v0/reward_seat_0": -2.0,
        "train/Kuhn-v0/random/score": 0.0,
        "train/Kuhn-v0/random/drawn": 0.0,
    }


def test_an_evaluation_is_scored_against_its_opponent():
    """Won, drawn, lost against the same one: a score of a half, a third of them drawn; nobody learns from it."""
    tracker = Tracker()
    spec = made_spec(kind=EVAL, learns=(False, False), versions=(-1, 3), uids=("minimax", "3"))
    for rewards in ([-1.0, 1.0], [0.0, 0.0], [1.0, -1.0]):
        tracker.log_game(made_record(spec, rewards, [GOOD]))
    row = tracker.row()
    assert row["eval/Kuhn-v0/minimax/score"] == pytest.approx(0.5)
    assert row["eval/Kuhn-v0/minimax/drawn"] == pytest.approx(1.0 / 3.0)
    assert row["eval/reward"] == pytest.approx(0.0)
    assert row["eval/games"] == 3
    assert row["eval/moves"] == 0
    assert "train/games" not in row


def test_earlier_checkpoints_share_a_column():
    """However many there are: metrics.csv has no column an update."""
    tracker = Tracker()
    for version in range(5):
        spec = made_spec(uids=("5", str(version)), versions=(5, version))
        tracker.log_game(made_record(spec, [1.0, -1.0]))
    assert tracker.row()["train/Kuhn-v0/past/score"] == 1.0
    assert len([name for name in tracker.row() if name.endswith("/score")]) == 1


def test_a_broken_game_is_a_fault_and_nothing_else():
    """Its moves are in no rate."""
    tracker = Tracker()
    tracker.log_game(made_record(made_spec(), [], [ILLEGAL], fault="the opponent gave no answer"))
    assert tracker.row() == {"train/games": 1, "train/faults": 1}


def test_outcomes_are_told_of_actors_and_those_they_met():
    """A mirror game has two actors and no meeting; a game of three with one actor has two."""
    mirror = made_record(made_spec(learns=(True, True), versions=(2, 2), uids=("2", "2")), [1.0, -1.0])
    assert len(actors(mirror.spec)) == 2
    assert opponents(mirror.spec) == ()
    assert mean_reward(mirror) == 0.0
    assert list(meetings(mirror)) == []
    three = made_spec(learns=(False, True, False), versions=(-1, 2, 1), uids=("random", "2", "1"))
    scores = [
        (one.uid, other.uid, score) for one, other, score in meetings(made_record(three, [1.0, 0.0, 0.0]))
    ]
    assert scores == [("2", "random", 0.0), ("2", "1", 0.5)]
    broken = made_record(three, [], fault="x")
    assert mean_reward(broken) is None
    assert list(meetings(broken)) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(allow_nan=True)), max_size=60), st.integers(1, 9))
def test_a_restored_tracker_goes_on_as_the_other_would(values, window):
    """Counts and the whole window, bit for bit, whatever was logged."""
    tracker, other = Tracker(window), Tracker(window)
    for name, value in values:
        tracker.log(name, value)
        tracker.count("games")
    other.load_state_dict(decode(encode(tracker.state_dict())))
    assert encode(other.state_dict()) == encode(tracker.state_dict())
    for one in (tracker, other):
        one.log("a", 0.1)
    assert other.row() == tracker.row()


def test_the_mean_of_the_largest_numbers_is_one():
    """Though their sum is none."""
    tracker = Tracker(2)
    for value in (sys.float_info.max, sys.float_info.max):
        tracker.log("a", value)
    assert tracker.row()["a"] == sys.float_info.max


def test_a_window_holds_something():
    """No observations have no mean."""
    with pytest.raises(UsageError, match="window must be at least 1"):
        Tracker(window=0)


class _Kept:
    """A writer that keeps what it is given."""

    def __init__(self):
        self.rows, self.closed = [], False

    def write(self, step, row):
        self.rows.append((step, dict(row)))

    def close(self):
        self.closed = True


def test_rows_go_to_every_writer():
    """With their step; closing closes them."""
    writers = [_Kept(), _Kept()]
    tracker = Tracker(writers=writers)
    tracker.log("loss", 1.0)
    tracker.write(7, tracker.row())
    tracker.close()
    assert all(one.rows == [(7, {"loss": 1.0})] and one.closed for one in writers)
