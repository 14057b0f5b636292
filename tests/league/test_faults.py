"""How many games may break before the run does."""

import pytest

from kit.errors import GameError, UsageError
from kit.league.faults import FaultBound, FaultWatch
from kit.league.game_record import GameRecord
from tests.league.made_games import spec_of


def record(fault=""):
    """Return a game that is over."""
    return GameRecord(spec_of(0, "policy", "policy"), (), (), (), fault)


def test_a_few_broken_games_are_data():
    """Up to the share all is well, however many there are in the end."""
    watch = FaultWatch(FaultBound(share=0.25, recent=8, least=8))
    for number in range(80):
        watch.note(record("it rains" if number % 4 == 3 else ""))
    assert watch.total == 20


def test_too_many_end_the_run_and_the_last_fault_is_named():
    """As soon as enough games can be judged, not before."""
    watch = FaultWatch(FaultBound(share=0.5, recent=10, least=6))
    for _ in range(5):
        watch.note(record("first"))
    with pytest.raises(GameError, match=r"6 of the last 6 games broke, more than 50%\. The last: it snows"):
        watch.note(record("it snows"))


def test_only_recent_games_count():
    """What broke long ago is counted, and forgiven; a resumed watch judges as the one before would have."""
    bound = FaultBound(share=0.5, recent=4, least=4)
    watch = FaultWatch(bound)
    for fault in ("a", "", "b", "", "", "", ""):
        watch.note(record(fault))
    other = FaultWatch(bound)
    other.load_state_dict(watch.state_dict())
    for one in (watch, other):
        one.note(record("c"))
        one.note(record("d"))
        with pytest.raises(GameError):
            one.note(record("e"))
    assert watch.state_dict() == other.state_dict()
    assert watch.total == 5


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"share": -0.1}, {"least": 0}, {"least": 5, "recent": 4}])
def test_a_bound_that_cannot_be_is_refused(wrong):
    """Shares from 0 to 1; no judgement before there is a game, nor after more than are looked at."""
    with pytest.raises(UsageError, match="share must be from 0 to 1"):
        FaultBound(**wrong)
