"""A probe of a stable-baselines3 algorithm: environment, policy, compute and optimiser apart, with gradient steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit

from kit.errors import UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.size import format_size
from kit.randomness import capture_generators, restore_generators
from kit.sb3.probed_turns import ProbedTurns
from kit.sb3.vectorised import MakeEnv, vectorised
from kit.timing.probe import Probe
from kit.timing.probing import LIMIT_S, STEPS, Probing

EPISODE_STEPS = 1_000
"""What an episode is taken to be at most, where episodes decide when to train."""


def probe(
    algorithm: type[BaseAlgorithm],
    policy: str,
    make_env: MakeEnv,
    *,
    steps: int = STEPS,
    limit_s: float = LIMIT_S,
    warm_up: int | None = None,
    threads: int = 1,
    clock: Clock = SYSTEM_CLOCK,
    **hyperparameters: Any,
) -> Probe:
    """Train a model of its own for ``steps`` turns, or until ``limit_s`` has passed, and return what they cost.

    A step is one turn of the algorithm: a rollout and the update after it. Samples are environment steps, summed over
    parallel environments, so ``Probe.project_samples(total_timesteps)`` is what a run's training takes. The parts:
    ``environment``, ``policy`` (choosing actions), ``compute`` and ``optimiser`` (together the update) and ``other``
    (buffers, bookkeeping). Every turn trains: ``learning_starts`` is lowered to 0, and ``notes`` says so. Schedules go
    through their whole range within the probe.

    ``make_env`` is called once, for an environment that is closed again; the environment has none of the wrappers by
    which a session captures its state. The global random number generators and the number of torch threads come back
    as they were; what an environment keeps outside itself does not.

    Args:
        algorithm: an on-policy or off-policy algorithm.
        policy: as stable-baselines3 takes it.
        make_env: makes the training environment (one, or a VecEnv).
        steps: turns, warm-up included.
        limit_s: wall seconds after which the turn that runs is broken off, and does not count.
        warm_up: leading turns that count apart; None: they are detected.
        threads: torch threads, as ``learn`` uses them, where there is no GPU.
        clock: where the time comes from.
        hyperparameters: of the algorithm.

    Raises:
        UsageError: it measured nothing: not two whole turns within the limit, no gradient step, NaN for a loss.
    """
    probing = Probing(
        algorithm.__name__,
        steps=steps,
        limit_s=limit_s,
        warm_up=warm_up,
        unit="rollout and update",
        clock=clock,
    )
    with _as_it_was(threads):
        env = vectorised(make_env)
        try:
            settings = {"seed": 0, **hyperparameters, "tensorboard_log": None}
            settings["policy_kwargs"] = dict(hyperparameters.get("policy_kwargs") or {})
            model = algorithm(policy, env, **settings)
            turn = _turn(model)
            probing.what = f"{algorithm.__name__} (rollouts of {turn:,} environment steps)"
            probing.wanted += math.ceil(_lowered_start(model, probing) / turn)
            turns = ProbedTurns(model, probing)
            with turns.timed(), probing:
                model.learn(probing.wanted * turn, callback=turns)
            return probing.result()
        finally:
            env.close()


def _turn(model: BaseAlgorithm) -> int:
    """Return the environment steps of a rollout, at most."""
    if isinstance(model, OnPolicyAlgorithm):
        return int(model.n_steps * model.n_envs)
    frequency = getattr(model, "train_freq", None)
    if not isinstance(frequency, TrainFreq):
        raise UsageError(
            f"{type(model).__name__} cannot be probed: it is neither an on-policy nor an off-policy algorithm."
        )
    each = 1 if frequency.unit is TrainFrequencyUnit.STEP else EPISODE_STEPS
    return int(frequency.frequency * each * model.n_envs)


def _lowered_start(model: BaseAlgorithm, probing: Probing) -> int:
    """Let an off-policy algorithm train from the first turn on; return the steps in which it still cannot."""
    if not isinstance(model, OffPolicyAlgorithm):
        return 0
    held = [value.nbytes for value in vars(model.replay_buffer).values() if isinstance(value, np.ndarray)]
    full = format_size(sum(held))
    probing.notes.append(f"The replay buffer takes {full} once it is full; in the probe it was nearly empty.")
    asked = int(model.learning_starts)
    if isinstance(model.replay_buffer, HerReplayBuffer):  # it samples whole episodes only
        probing.notes.append(
            f"The {asked:,} steps before learning_starts, which only collect, count as warm-up."
        )
        return asked
    if asked > 0:
        model.learning_starts = 0
        probing.notes.append(
            f"learning_starts was lowered from {asked:,} to 0 for the probe, so that its steps train; "
            f"the first {asked:,} steps of a run only collect, and take less."
        )
    return 0


@contextmanager
def _as_it_was(threads: int) -> Iterator[None]:
    """Put back the random number generators and torch's settings that building and training a model change."""
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.init()  # type: ignore[no-untyped-call]  # else its generators would not be captured
    generators, before = capture_generators(), torch.get_num_threads()
    cudnn = (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)
    if not cuda:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        restore_generators(generators)
