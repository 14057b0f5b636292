"""What the checks see of a training while it lives: its environment before it, its model after a quick test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecNormalize

from kit.preflight.action_effect import ACTION
from kit.preflight.alternation import ALTERNATION
from kit.preflight.check import Check, Finding, Verdict, fails, notes
from kit.preflight.episode_end import ENDS
from kit.preflight.episodes import EpisodesSeen
from kit.preflight.evaluation import EVALUATION
from kit.preflight.gpu_used import GPU_USED, DeviceSeen
from kit.preflight.learning import UPDATES, WEIGHTS, Learning
from kit.preflight.live_record import write_live
from kit.preflight.observation import CHANGE, SPACE
from kit.preflight.resume import RESUME
from kit.preflight.reward import REWARD
from kit.preflight.schedule import SCHEDULE, Schedules
from kit.preflight.seeding import SEEDED, SeedSeen
from kit.preflight.trace import Trace
from kit.randomness import capture_generators, restore_generators
from kit.sb3.contest import contest
from kit.sb3.declared_horizon import declared_horizons
from kit.sb3.environment_probe import forks, random_trace
from kit.sb3.environment_state import CaptureMethod, EnvironmentState
from kit.sb3.episode_watch import EpisodeWatch, ListeningCallback
from kit.sb3.evaluation import Evaluation
from kit.sb3.evaluation_watch import EvaluationWatch
from kit.sb3.round_trip import round_trip
from kit.sb3.state import ExactState
from kit.sb3.vectorised import MakeEnv, vectorised
from kit.session import TrainingSession

logger = logging.getLogger(__name__)

Judge = Callable[[str], Verdict]
PHASE = "preflight"
"""Its time is no part of a run's forecast: a full run has none of it."""


class Inspection:
    """Looks at one quick test, in three places of ``learn``: before the model is made, before and after the training.

    Environments for it are its own. The global random number generators come back as they were, so that the quick test
    trains as it would without. What was seen is on disk at once: a training that fails leaves it.
    """

    def __init__(self, session: TrainingSession, make_env: MakeEnv, method: CaptureMethod) -> None:
        self._session, self._make_env, self._method = session, make_env, method
        self._findings: dict[str, Finding] = {}
        self._trace: Trace | None = None
        self._repeats = True
        self._declared: dict[str, int] = {}
        self._episodes = EpisodeWatch()
        session.planner.units(PHASE, fixed=0.0)
        self._apart(self._look_at_environment)

    @classmethod
    def of(cls, session: TrainingSession, make_env: MakeEnv, method: CaptureMethod) -> Inspection | None:
        """Look at the environment of a quick test; None for a full run, which has been looked at by then."""
        return cls(session, make_env, method) if session.quick_test else None

    def watch(self, model: BaseAlgorithm, evaluation: Evaluation | None) -> Evaluation | None:
        """Remember the weights before the training; return the evaluation, watched."""
        env = model.get_env()
        assert env is not None
        self._watch = EvaluationWatch(env.unwrapped, EnvironmentState(env.unwrapped, self._method))
        self._before = _weights(model)
        return self._watch.around(evaluation)

    def callback(self, *of_the_session: Any) -> ListeningCallback:
        """Return the callback of the training, which hears how each of its episodes ends."""
        return ListeningCallback(self._episodes, *of_the_session)

    def finish(
        self,
        model: BaseAlgorithm,
        state: ExactState,
        remake: Callable[[VecEnv], BaseAlgorithm],
        hyperparameters: Mapping[str, Any],
    ) -> None:
        """Look at what the training did; ``remake`` makes a model like the trained one was at its beginning."""
        self._apart(partial(self._look_at_training, model, hyperparameters))
        self._apart(partial(self._look_at_play, model))
        self._apart(partial(self._look_at_resume, model, state, remake))

    def _apart(self, look: Callable[[], None]) -> None:
        """Look at something in a phase of its own, with generators that come back, and write down what was seen."""
        kept = capture_generators()
        try:
            with self._session.phase(PHASE):
                look()
        finally:
            restore_generators(kept)
            write_live(self._session.folder, self._findings.values(), self._seen())

    def _seen(self) -> EpisodesSeen | None:
        """Return the episodes of the training; None before it began."""
        return self._episodes.seen(self._declared) if self._episodes.steps else None

    def _saw(self, check: Check[Any], subject: Any) -> None:
        self._findings[check.name] = check.of(subject)

    def _tried(
        self, checks: tuple[Check[Any], ...], look: Callable[[], None], verdict: Judge = fails
    ) -> None:
        """Where looking raises, that is what the checks saw."""
        try:
            look()
        except Exception as error:  # the environment is anybody's code, and raises what it likes
            logger.debug("A check could not be made.", exc_info=True)
            said = f"Looking at it raised {type(error).__name__}: {error}"
            self._findings.update({check.name: check.finding(verdict(said)) for check in checks})

    def _with_environment(
        self, checks: tuple[Check[Any], ...], look: Callable[[VecEnv], None], verdict: Judge = fails
    ) -> None:
        """Look at an environment made for it, which is closed afterwards."""

        def opened() -> None:
            env = self._opened()
            try:
                look(env)
            finally:
                env.close()

        self._tried(checks, opened, verdict)

    def _opened(self) -> VecEnv:
        return vectorised(self._make_env, self._method.name)

    def _look_at_environment(self) -> None:
        self._with_environment((SPACE, CHANGE, REWARD, ENDS), lambda env: self._look_at_trace(_observed(env)))
        self._with_environment((ACTION,), lambda env: self._look_at_forks(_observed(env)))

    def _look_at_trace(self, env: VecEnv) -> None:
        self._tried((), lambda: self._declared.update(declared_horizons(env)))
        self._trace = trace = random_trace(env, self._session.clock)
        for check in (SPACE, CHANGE, ENDS):
            self._saw(check, trace)
        self._saw(REWARD, trace.rewards)

    def _look_at_forks(self, env: VecEnv) -> None:
        found = forks(env)
        self._repeats = not any(fork.by_chance for fork in found)
        self._saw(ACTION, found)

    def _look_at_training(self, model: BaseAlgorithm, hyperparameters: Mapping[str, Any]) -> None:
        session = self._session
        updates = int(getattr(model, "_n_updates", 0))
        learning = Learning(updates, model.num_timesteps, self._before, _weights(model))
        self._saw(UPDATES, learning)
        self._saw(WEIGHTS, learning)
        self._saw(EVALUATION, self._watch.seen)
        totals = session.requested_timesteps, session.total_timesteps, int(model._total_timesteps)
        self._saw(SCHEDULE, Schedules(*totals, model.n_envs, hyperparameters))
        self._saw(SEEDED, SeedSeen(model.seed, self._repeats))
        self._saw(GPU_USED, _device(model, hyperparameters))
        if self._trace is not None:
            by_chance = self._trace.rewards.ravel()
            if isinstance(model, OffPolicyAlgorithm) or not by_chance.any():
                self._saw(REWARD, np.concatenate([by_chance, _rewards(model)]))

    def _look_at_play(self, model: BaseAlgorithm) -> None:
        session = self._session
        share = min(1.0, model.num_timesteps / session.requested_timesteps)

        def look(env: VecEnv) -> None:
            self._saw(ALTERNATION, contest(model, env, share, session.clock))

        self._with_environment((ALTERNATION,), look, notes)

    def _look_at_resume(
        self, model: BaseAlgorithm, state: ExactState, remake: Callable[[VecEnv], BaseAlgorithm]
    ) -> None:
        def look() -> None:
            trip = round_trip(self._session, model, state, lambda: remake(self._opened()), self._method)
            self._saw(RESUME, trip)

        self._tried((RESUME,), look)


def _observed(env: VecEnv) -> VecEnv:
    """Return ``env`` without its VecNormalize and what stands around it: its observations are those of the space."""
    found = env
    while isinstance(env, VecEnvWrapper):
        if isinstance(env, VecNormalize):
            found = env.venv
        env = env.venv
    return found


def _weights(model: BaseAlgorithm) -> dict[str, np.ndarray]:
    """Return copies of the trainable weights by name; target networks follow them and are left out."""
    named = ((name, value) for name, value in model.policy.named_parameters() if value.requires_grad)
    return {name: value.detach().cpu().numpy().copy() for name, value in named if "target" not in name}


def _rewards(model: Any) -> np.ndarray:
    """Return the rewards that the training saw, as far as the model still knows them.

    A rollout buffer's are none: values of states that episodes were cut off in are added to them. What is known then
    are the sums of whole episodes.
    """
    if isinstance(model, OffPolicyAlgorithm) and model.replay_buffer is not None:
        seen: np.ndarray = (
            model.replay_buffer.rewards[: model.replay_buffer.size()].ravel().astype(np.float64)
        )
        return seen
    return np.array([float(episode["r"]) for episode in model.ep_info_buffer or ()])


def _device(model: BaseAlgorithm, hyperparameters: Mapping[str, Any]) -> DeviceSeen:
    available = torch.cuda.is_available()
    peak = torch.cuda.max_memory_allocated() if available else 0
    return DeviceSeen(str(hyperparameters.get("device", "auto")), str(model.device), peak, available)
