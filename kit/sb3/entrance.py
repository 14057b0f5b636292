"""The check on the way into a full run that needs its environment: are its episodes those of its quick test?"""

from __future__ import annotations

import logging

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from kit.harness.clock import Clock
from kit.preflight.check import fails
from kit.preflight.entrance import refuse_failed
from kit.preflight.episodes import ENOUGH, EpisodesSeen, other_horizon, unexplained_limit
from kit.preflight.live_record import read_episodes
from kit.preflight.same_episodes import SAME_EPISODES
from kit.randomness import capture_generators, restore_generators
from kit.sb3.declared_horizon import declared_horizons
from kit.sb3.environment_state import CaptureMethod
from kit.sb3.probe_actions import ProbeActions
from kit.sb3.vectorised import MakeEnv, vectorised
from kit.session import TrainingSession
from kit.timing.prediction import quick_test_beside

logger = logging.getLogger(__name__)

SEED = 7
MOST_S = 1.0


def refuse_other_episodes(session: TrainingSession, make_env: MakeEnv, method: CaptureMethod) -> None:
    """Compare the environment of a fresh run with what the quick test of the same settings beside it recorded.

    What they declare is compared. Where the quick test's episodes were cut off at a length that nothing declares, an
    environment is played by chance beyond it, for at most a second. Without a quick test there is nothing to compare.

    Raises:
        PreflightError: the quick test's episodes were others.
    """
    if session.quick_test or session.options.skip_checks or session.begun or session.folder.holds_a_run():
        return
    beside = quick_test_beside(session.folder, session.record_of_run.config)
    seen = read_episodes(beside) if beside is not None else None
    if seen is None:
        return
    kept = capture_generators()
    try:
        differs = _difference(seen, make_env, method, session.clock)
    finally:
        restore_generators(kept)
    if differs:
        refuse_failed([SAME_EPISODES.finding(fails(differs))])


def _difference(seen: EpisodesSeen, make_env: MakeEnv, method: CaptureMethod, clock: Clock) -> str:
    """Return how the episodes differ, empty where nothing shows that they do."""
    env = vectorised(make_env, method.name)
    try:
        return other_horizon(seen, declared_horizons(env)) or _played(env, seen, clock)
    except Exception:  # the environment is anybody's code; what it raises is for the training to tell
        logger.debug("The episodes of the quick test could not be compared.", exc_info=True)
        return ""
    finally:
        env.close()


def _played(env: VecEnv, seen: EpisodesSeen, clock: Clock) -> str:
    limit = unexplained_limit(seen)
    if not limit or not goes_beyond(env, limit, clock):
        return ""
    return f"An episode of this run's environment goes on beyond step {limit:,}. {seen.told}"


def goes_beyond(env: VecEnv, limit: int, clock: Clock) -> bool:
    """Whether an episode by chance has more than ``limit`` steps, as far as some ends, or a second, show."""
    actions, until = ProbeActions(env), clock.monotonic() + MOST_S
    env.seed(SEED)
    env.reset()
    lengths, ended = np.zeros(env.num_envs, np.int64), 0
    while ended < ENOUGH and clock.monotonic() < until:
        lengths += 1
        if lengths.max() > limit:
            return True
        _, _, dones, _ = env.step(actions.random())
        ended += int(np.sum(lengths[dones] == limit))
        lengths[dones] = 0
    return False
