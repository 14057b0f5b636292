"""``learn``: train a stable-baselines3 algorithm under a session; resumes if a checkpoint is there."""

from __future__ import annotations

import io
import logging
import math
from copy import copy, deepcopy
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.save_util import load_from_zip_file
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.vec_env import VecEnv

from kit.errors import IntegrityError
from kit.harness.best import best_file, best_sums
from kit.sb3.callback import SessionCallback
from kit.sb3.declared_horizon import declared_horizons
from kit.sb3.entrance import refuse_other_episodes
from kit.sb3.environment_trial import capture_method
from kit.sb3.evaluation import Evaluation
from kit.sb3.preflight import Inspection
from kit.sb3.state import ExactState
from kit.sb3.vectorised import MakeEnv, vectorised
from kit.session import TrainingSession

logger = logging.getLogger(__name__)

QUICK_STEPS = 50_000
"""The most environment steps of a quick test, past those that only collect, and where three rollouts are not more."""
QUICK_EPISODES = 2
"""The episodes of each environment that it sees beside those, where they have a declared length."""


def learn(
    session: TrainingSession,
    algorithm: type[BaseAlgorithm],
    policy: str,
    make_env: MakeEnv,
    *,
    evaluation: Evaluation | None = None,
    **hyperparameters: Any,
) -> BaseAlgorithm:
    """Train up to ``session.total_timesteps`` and return the model; the session knows whether it got there.

    ``make_env`` makes the training environment (one, or a VecEnv); it is called several times, since it is tried out
    beforehand how its state comes back (``kit.sb3.environment_trial``), on environments that are thrown away. Where
    it does not, resume is not exact, and the log says so now and the summary at the end.
    ``hyperparameters`` go to the algorithm as they are and belong to the config hash.
    One torch thread on a CPU: small networks lose more to two threads than they gain, and the thread count is
    part of an exact result.

    Raises:
        ConfigMismatchError: the run folder holds a run with other settings.
        PreflightError: the quick test beside a fresh run trained on episodes of another length.
        StorageError: checkpoints cannot be written.
    """
    asked, evaluation = evaluation, evaluation and evaluation.for_total(session.requested_timesteps)
    settings = {
        "algorithm": f"{algorithm.__module__.split('.')[0]}.{algorithm.__name__}",
        "policy": policy,
        "hyperparameters": hyperparameters,
        "evaluation": evaluation.settings() if evaluation else None,
    }
    session.declare(learn=settings)
    if not torch.cuda.is_available():
        torch.set_num_threads(session.options.threads)
    with session.phase("warm_up"):
        method = capture_method(make_env, session.folder.environment)
        refuse_other_episodes(session, make_env, method)
    inspection = Inspection.of(session, make_env, method)
    make_model = partial(_make_model, algorithm, policy, session.seed, hyperparameters)
    with session.phase("warm_up", count=0):
        env = vectorised(make_env, method.name)
        model = make_model(env)
    session.scaler.n_envs = env.num_envs
    _plan(session, model, env, asked if session.quick_test else evaluation)
    state = ExactState(model, method)
    session.inexact(state.reason)
    restored = session.restore()
    if restored is not None:
        _put_back(session, state, restored)
    if inspection is not None:
        evaluation = inspection.watch(model, evaluation)
    listening = SessionCallback if inspection is None else inspection.callback
    callback = listening(session, state, evaluation, restored)
    remaining = session.total_timesteps - model.num_timesteps
    if remaining > 0 and not session.trained:
        horizon = _horizon(session) - model.num_timesteps
        model.learn(horizon, callback=callback, reset_num_timesteps=restored is None)
    elif not session.trained:
        callback.init_callback(model)
    if not session.stopping and not session.trained:
        callback.finish()
    if inspection is not None and session.trained:
        inspection.finish(model, state, make_model, hyperparameters)
    session.timer.switch("export")
    return model


def _make_model(
    algorithm: type[BaseAlgorithm], policy: str, seed: int, hyperparameters: dict[str, Any], env: VecEnv
) -> BaseAlgorithm:
    # A copy: several algorithms write into it, and the settings of the run would change under its hands.
    copied = {"policy_kwargs": dict(hyperparameters.get("policy_kwargs") or {})}
    return algorithm(policy, env, **{"seed": seed, **hyperparameters, **copied})


def _put_back(session: TrainingSession, state: ExactState, restored: Any) -> None:
    """Put the state back; raises IntegrityError where it is none of this algorithm's, whatever its checksums say."""
    try:
        state.restore(restored["model"])
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        folder = session.folder.checkpoints / f"step-{session.step:09d}"
        raise IntegrityError(
            f"{folder} holds no state of this run: {type(error).__name__}: {error}."
        ) from error
    if state.reason is not None and session.exact:
        logger.warning("Resume is not exact: %s", state.reason)
        session.inexact(state.reason)


def load_best(session: TrainingSession, model: BaseAlgorithm) -> BaseAlgorithm:
    """Return the best model by evaluation, or ``model`` where none was evaluated.

    It is ``model`` with the best weights, for prediction. Only weights are read of the file, and nothing in it is
    executed.

    Raises:
        IntegrityError: the file is not the one that was written, or its weights are of another policy.
    """
    sums = best_sums(session.folder.best)
    if not sums:
        return model
    name, digest = next(iter(sums.items()))
    return _with_weights(model, best_file(session.folder.best, name, digest))


def _with_weights(model: BaseAlgorithm, content: bytes) -> BaseAlgorithm:
    """Return ``model`` with a policy of its own, which has the weights in SB3's zip ``content``."""
    _, parameters, _ = load_from_zip_file(io.BytesIO(content), device=model.device, load_data=False)
    best = copy(model)
    best.policy = deepcopy(model.policy)
    try:
        best.policy.load_state_dict(cast("dict[str, Any]", parameters["policy"]))
    except (KeyError, RuntimeError) as error:
        raise IntegrityError(f"The best model's weights are not those of this policy: {error}") from error
    if hasattr(best, "_create_aliases"):  # off-policy algorithms have names for parts of their policy
        best._create_aliases()
    return best


def _horizon(session: TrainingSession) -> int:
    """Return the steps that schedules (learning rate, exploration) go by: those asked for.

    A reduced total only ends training earlier; were it the horizon, a resumed run's schedules would jump. A quick
    test is its own horizon: it goes through the whole schedule, so that its steps cost what the run's do on average.
    """
    return session.total_timesteps if session.quick_test else session.requested_timesteps


def _plan(session: TrainingSession, model: BaseAlgorithm, env: VecEnv, evaluation: Evaluation | None) -> None:
    """Tell the session what a run of N steps is made of, and how few of them make an honest quick test."""
    session.scaler.n_envs = model.n_envs
    starts = int(getattr(model, "learning_starts", 0))
    session.planner.units("collect", per_step=1.0, until_step=starts)
    session.planner.units("rollout", per_step=1.0, from_step=starts)
    session.planner.rate("update", of="rollout")
    if evaluation is not None:
        session.planner.repeats(
            "evaluate",
            evaluation.episodes,
            every=evaluation.every,
            times=evaluation.times or 0,
            stride=_stride(model),
        )
    if isinstance(model, OffPolicyAlgorithm) and model.replay_buffer is not None:
        bytes_each = sum(
            array.nbytes for array in vars(model.replay_buffer).values() if isinstance(array, np.ndarray)
        ) / (model.replay_buffer.buffer_size * model.n_envs)
        session.planner.checkpoint(bytes_per_step=bytes_each, up_to_steps=model.buffer_size)
        # Gradient steps must happen in it, as they do in the run: collection alone says nothing of their cost.
        session.quick_steps(starts + max(600, _quick_share(session, env)))
    elif isinstance(model, OnPolicyAlgorithm):
        # Whole rollouts; where they are short, as A2C's are, the first few updates are all warm-up.
        rollout = model.n_steps * model.n_envs
        session.quick_steps(rollout * max(3, math.ceil(_quick_share(session, env) / rollout)))


def _quick_share(session: TrainingSession, env: VecEnv) -> int:
    """Return a fortieth of the run's steps, or whole episodes where those are more, but no more than QUICK_STEPS.

    The steps of an episode do not cost alike (a junction fills up), nor do the first episodes of an agent that has
    learnt nothing cost what later ones do. Two in each environment see past both; a short run is not tested for more
    than a twelfth of its steps, though.
    """
    steps = session.requested_timesteps
    episode = max(declared_horizons(env).values(), default=0) * env.num_envs
    return min(max(steps // 40, min(QUICK_EPISODES * episode, steps // 12)), QUICK_STEPS)


def _stride(model: BaseAlgorithm) -> int:
    """Return the environment steps between two boundaries; where episodes decide, those between two steps."""
    if isinstance(model, OnPolicyAlgorithm):
        return model.n_steps * model.n_envs
    frequency = getattr(model, "train_freq", None)
    if isinstance(frequency, TrainFreq) and frequency.unit is TrainFrequencyUnit.STEP:
        return frequency.frequency * model.n_envs
    return model.n_envs
