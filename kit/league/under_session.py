"""``learn``: play a league under a session; it resumes if a checkpoint is there."""

from __future__ import annotations

import torch

from kit.league.league import League
from kit.randomness import seed_generators
from kit.session import TrainingSession

QUICK_UPDATES, QUICK_SHARE = 4, 20
"""Updates of a quick test, at least and as a share of the run: the first begins with nothing in flight, as no other."""


def learn(session: TrainingSession, league: League) -> League:
    """Update ``league`` up to ``session.total_timesteps`` times and return it; the session knows whether it got there.

    A step of the session is an update: its games (``rollout``), the learner (``update``), games that only measure
    (``evaluate``). It stops between two updates.

    Raises:
        DivergenceError: a loss is no number; the checkpoints before stay.
    """
    if not torch.cuda.is_available():
        torch.set_num_threads(session.options.threads)
    seed_generators(session.seed)  # a league draws from none of them; they are in a checkpoint all the same
    _plan(session, league)
    _connect(session, league)
    for step in session.steps():
        row = league.update(last=step + 1 >= session.total_timesteps)
        session.record(**row)
        league.parts.tracker.write(step + 1, row)
        _say_if_inexact(session, league)
    return league


def _plan(session: TrainingSession, league: League) -> None:
    """Say what an update does, for the forecast, and how few updates of a quick test measure all of it."""
    settings, planner = league.settings, session.planner
    planner.units("update", per_step=1.0)
    if settings.eval_games:
        every = settings.eval_every or session.total_timesteps
        planner.repeats("evaluate", float(settings.eval_games), every=every)
    if session.quick_test:
        planned = session.requested_timesteps
        session.quick_steps(min(planned, max(QUICK_UPDATES, planned // QUICK_SHARE)))


def _connect(session: TrainingSession, league: League) -> None:
    """Have the session time, keep and watch the league: phases, checkpoints with their adapters, signs of life."""
    league.phase = session.phase
    league.shelf.serve(session.options.cadence.keep)
    session.counts_on = league.shelf.counted_on
    _say_if_inexact(session, league)
    _live(session, league)
    session.register(league=league)


def _say_if_inexact(session: TrainingSession, league: League) -> None:
    """Tell the session, once, why the run would not continue bit for bit: from the start, or since a worker died."""
    died = getattr(league.parts.collector.pool, "replaced", 0)
    again = "a worker died, and its games were played again in other batches than before"
    reason = league.inexact or (again if died else None)
    if reason and session.exact:
        session.inexact(reason)


def _live(session: TrainingSession, league: League) -> None:
    """Have every round and micro-batch be a sign of life: an update of a large model can take longer than any hang."""
    collector = league.parts.collector
    show = collector.on_round

    def beat() -> None:
        session.companions.beat(session.timer.current)

    def beat_and_show() -> None:
        beat()
        show()

    league.parts.learner.on_micro_batch = beat
    collector.on_round = beat_and_show
