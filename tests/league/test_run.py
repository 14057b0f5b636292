"""A run: how many play, what its identity is, and that an error stays one."""

import pytest

from kit.errors import UsageError
from kit.league.collector import Workers
from kit.league.game_spec import EVAL
from kit.league.runtime import build
from tests.league.small_player import small_settings


def broken(batch):
    """Learn nothing."""
    raise RuntimeError("the learner is broken")


def test_evaluations_have_as_many_games_in_flight_as_they_were_told(tmp_path):
    """Three of eight at a time, and never more; it is part of what the run is."""
    run = build(**small_settings(eval_every=1))
    seen = []
    make = run.parts.league

    def watched(*args):
        league = make(*args)
        pool = league.parts.collector.pool
        play = pool.round
        pool.round = lambda kinds: (seen.append(pool.in_flight(EVAL)), play(kinds))[1]
        return league

    run.parts.league = watched
    run.start(1, 10, 3, out=tmp_path / "run")
    assert max(seen) == 3
    assert run.config(Workers(10), 3) != run.config(Workers(10), 4)
    for wrong in (0, -1):
        with pytest.raises(UsageError, match="num_eval_workers"):
            build(**small_settings()).start(1, 10, wrong, out=tmp_path / "no")


@pytest.mark.parametrize("background", [False, True])
def test_an_error_is_raised_whenever_it_is_asked_for(tmp_path, background):
    """A second wait() says what the first one said."""
    run = build(**small_settings())
    run.parts.learner.update = broken
    with pytest.raises(RuntimeError, match="the learner is broken"):
        run.start(2, 10, out=tmp_path / "run", background=background).wait()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the learner is broken"):
            run.wait()
