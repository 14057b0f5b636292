"""A league under a session: an update that takes long says so, and what makes a run inexact is said."""

import pytest

from kit import TrainingSession
from kit.harness.hang_watch import HangWatch
from kit.harness.heartbeat import read_beat
from kit.league.collector import Workers
from kit.league.learners import A2C, Reinforce
from kit.league.runtime import build
from kit.league.under_session import learn
from tests.league.batches import a_batch, episodes
from tests.league.small_player import small_settings
from tests.league.test_learner import SETTINGS
from tests.lm.small import small_lm


@pytest.mark.parametrize(
    ("kind", "config", "passes"),
    [(Reinforce, {}, 1), (Reinforce, {"kl_coefficient": 0.1}, 2), (A2C, {"infer_mini_batch_size": 3}, 3)],
    ids=["reinforce", "anchored", "a2c"],
)
def test_every_micro_batch_is_told(kind, config, passes):
    """As often as steps go through the model: for the loss, the anchor's penalty, the critic's values and its loss."""
    told, learner = [], kind(small_lm(), SETTINGS)
    learner.initialize_algorithm(**config)
    learner.on_micro_batch = lambda: told.append(1)
    batch = a_batch() if kind is Reinforce else episodes()
    steps = len(learner.steps_of(batch))
    learner.update(batch)
    assert len(told) == passes * -(-steps // learner.settings.mini_batch_size)


def test_a_long_update_is_no_hang(tmp_path):
    """Two micro-batches with most of the limit between any two signs of life: the watch sees each, and no hang."""
    run = build(**small_settings(eval_every=0, eval_games=0, eval_envs=None))
    session = TrainingSession.open("self_play", total_timesteps=1, config={"seed": 1}, out=tmp_path / "run")
    watch, found, now = HangWatch(10.0), [], [0.0]
    backward = run.parts.learner.backward

    def slow(loss, steps):
        """Take nine seconds, at which the watch looks three times."""
        for _ in range(3):
            now[0] += 3.0
            found.append(watch.observe(read_beat(session.folder.heartbeat), now[0]))
        backward(loss, steps)

    run.parts.learner.backward = slow
    with session:
        learn(session, run.league_under(session, Workers(10)))
    assert len(found) >= 6
    assert set(found) == {None}
    assert session.trained


def test_what_makes_a_league_inexact_is_said_once(tmp_path, caplog):
    """Another number of actors than before: the session has the reason, and one line of it."""
    settings = small_settings(eval_every=0, eval_games=0, eval_envs=None)
    for devices, exact in ((["cpu"], True), (["cpu", "cpu"], False)):
        run = build(**settings, devices=devices)
        session = TrainingSession.open(
            "self_play", total_timesteps=3, config={"seed": 1}, out=tmp_path / "run"
        )
        with session:
            league = run.league_under(session, Workers(10))
            update = league.update

            def once(update=update, session=session, exact=exact, **more):
                row = update(**more)
                if exact:
                    session.pace.wish = "enough for now"
                    session.pace.look_due = lambda: True
                return row

            league.update = once
            learn(session, league)
        assert session.exact is exact
    assert session.step == 3
    assert "among 1 actors before, and now among 2" in session.inexact_reason
    assert caplog.text.count("actors before") == 1
