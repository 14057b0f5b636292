"""``learn``: train a stable-baselines3 algorithm under a session; resumes if a checkpoint is there."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from kit.errors import IntegrityError
from kit.harness.summary import read_json
from kit.sb3.callback import SessionCallback
from kit.sb3.evaluation import Evaluation
from kit.sb3.state import ExactState
from kit.session import TrainingSession

MakeEnv = Callable[[], gymnasium.Env[Any, Any] | VecEnv]


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

    ``make_env`` makes the training environment (one, or a VecEnv); it is called twice, once for a warm-up whose
    environment is thrown away. ``hyperparameters`` go to the algorithm as they are and belong to the config hash.
    One torch thread on a CPU: small networks lose more to two threads than they gain, and the thread count is
    part of an exact result.

    Raises:
        ConfigMismatchError: the run folder holds a run with other settings.
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
        _warm_up(make_env)
        env = _vectorised(make_env())
        model = algorithm(policy, env, **{"seed": session.seed, **hyperparameters})
    session.scaler.n_envs = env.num_envs
    _plan(session, model, asked)
    state = ExactState(model)
    session.inexact(state.reason)
    restored = session.restore()
    if restored is not None:
        state.restore(restored["model"])
    callback = SessionCallback(session, state, evaluation, restored)
    remaining = session.total_timesteps - model.num_timesteps
    if remaining > 0 and not session.trained:
        horizon = _horizon(session) - model.num_timesteps
        model.learn(horizon, callback=callback, reset_num_timesteps=restored is None)
    elif not session.trained:
        callback.init_callback(model)
    if not session.stopping and not session.trained:
        callback.finish()
    session.timer.switch("export")
    return model


def load_best(session: TrainingSession, model: BaseAlgorithm) -> BaseAlgorithm:
    """Return the best model by evaluation, or ``model`` where none was evaluated.

    Raises:
        IntegrityError: the file is not the one that was written (it is checked before anything is unpickled).
    """
    facts = read_json(session.folder.best / "best.json")
    if not facts:
        return model
    content = (session.folder.best / facts["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != facts["sha256"]:
        raise IntegrityError(
            f"{session.folder.best / facts['file']} does not match best.json.", [facts["file"]]
        )
    return type(model).load(io.BytesIO(content), device=model.device)


def _horizon(session: TrainingSession) -> int:
    """Return the steps that schedules (learning rate, exploration) go by: those asked for.

    A reduced total only ends training earlier; were it the horizon, a resumed run's schedules would jump. A quick
    test is its own horizon: it goes through the whole schedule, so that its steps cost what the run's do on average.
    """
    return session.total_timesteps if session.quick_test else session.requested_timesteps


def _vectorised(env: gymnasium.Env[Any, Any] | VecEnv) -> VecEnv:
    if isinstance(env, VecEnv):
        return env
    from stable_baselines3.common.monitor import Monitor

    return DummyVecEnv([lambda: env if isinstance(env, Monitor) else Monitor(env)])


def _warm_up(make_env: MakeEnv) -> None:
    """Compile and load what the first steps need, in an environment that is thrown away; disturbs no generator."""
    kept = random.getstate(), np.random.get_state()
    env = _vectorised(make_env())
    try:
        env.reset()
        for _ in range(2):
            env.step(np.array([env.action_space.sample() for _ in range(env.num_envs)]))
    finally:
        env.close()
        random.setstate(kept[0])
        np.random.set_state(kept[1])


def _plan(session: TrainingSession, model: BaseAlgorithm, evaluation: Evaluation | None) -> None:
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
        session.quick_steps(starts + max(600, session.requested_timesteps // 40))
    elif isinstance(model, OnPolicyAlgorithm):
        session.quick_steps(3 * model.n_steps * model.n_envs)


def _stride(model: BaseAlgorithm) -> int:
    """Return the environment steps between two boundaries; where episodes decide, those between two steps."""
    if isinstance(model, OnPolicyAlgorithm):
        return model.n_steps * model.n_envs
    frequency = getattr(model, "train_freq", None)
    if isinstance(frequency, TrainFreq) and frequency.unit is TrainFrequencyUnit.STEP:
        return frequency.frequency * model.n_envs
    return model.n_envs
