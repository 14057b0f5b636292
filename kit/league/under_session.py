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
    settings, planner = league.settings, session.planner
    league.phase = session.phase
    planner.units("update", per_step=1.0)
    if settings.eval_games:
        every = settings.eval_every or session.total_timesteps
        planner.repeats("evaluate", float(settings.eval_games), every=every)
    if session.quick_test:
        planned = session.requested_timesteps
        session.quick_steps(min(planned, max(QUICK_UPDATES, planned // QUICK_SHARE)))
    if league.inexact:
        session.inexact(league.inexact)
    league.shelf.serve(session.options.cadence.keep)
    session.counts_on = league.shelf.counted_on
    seed_generators(session.seed)  # a league draws from none of them; they are in a checkpoint all the same
    _live(session, league)
    session.register(league=league)
    for step in session.steps():
        row = league.update(last=step + 1 >= session.total_timesteps)
        session.record(**row)
        league.parts.tracker.write(step + 1, row)
        if getattr(league.parts.collector.pool, "replaced", 0) and session.exact:
            session.inexact("a worker died, and its games were played again in other batches than before")
    return league


def _live(session: TrainingSession, league: League) -> None:
    """Have every round of games be a sign of life: an update of a large model can take longer than any hang."""
    collector = league.parts.collector
    show = collector.on_round

    def beat() -> None:
        session.companions.beat(session.timer.current)
        show()

    collector.on_round = beat
