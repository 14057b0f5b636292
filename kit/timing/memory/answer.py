"""What ``memory`` answers: the estimate for a shape and a setup, whether it fits, and what is the largest that does."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from typing import Any

from kit.errors import UnknownNameError, UsageError
from kit.timing.memory.estimate import Estimate, fits, largest
from kit.timing.memory.generation import generation_memory
from kit.timing.memory.sb3 import ALGORITHMS, algorithm_class, sb3_memory
from kit.timing.memory.shapes import TransformerShape, read_shape
from kit.timing.memory.step import training_memory
from kit.timing.memory.training_setup import TrainingSetup

MOST_BATCH = 4_096


def parse_generate(text: str) -> tuple[int, int] | None:
    """Read ``64x2048`` as 64 sequences of 2,048 tokens; None for an empty text.

    Raises:
        UsageError: it reads otherwise.
    """
    if not text:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) for part in parts):
        raise UsageError(
            f"What is to be generated cannot be read: {text!r}. Legal: 64x2048, sequences x tokens."
        )
    return int(parts[0]), int(parts[1])


def memory_answer(
    target: str, setup: TrainingSetup, vram_bytes: int | None = None, generate: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Return the estimate of training the model ``target`` (a shape's name or a config.json) with ``setup``.

    With ``generate``, (sequences, tokens), the same card generates as well, in turn with training: the estimate is that
    of the larger of the two. ``fits`` and what follows it are None without ``vram_bytes``.

    Raises:
        UsageError: an unknown shape, a config that cannot be read, a length beyond what the model was made for.
    """
    shape = read_shape(target)
    if setup.length > shape.positions:
        raise UsageError(f"length must be at most the model's {shape.positions:,}, not {setup.length:,}.")

    def estimate_of(setup: TrainingSetup) -> Estimate:
        return _estimate(shape, setup, generate)

    estimate = estimate_of(setup)
    found: dict[str, Any] = {"target": target, "parameters": shape.parameters, **estimate.as_json()}
    found |= {"what": f"{setup.batch:,} × {setup.length:,} tokens", "vram_bytes": vram_bytes}
    found |= {"length": setup.length, "batch": setup.batch}
    found |= {"fits": None, "largest_length": None, "largest_batch": None}
    if vram_bytes is not None:
        found["fits"] = fits(estimate, vram_bytes)
        found["largest_length"] = largest(
            lambda length: estimate_of(replace(setup, length=length)), vram_bytes, shape.positions
        )
        found["largest_batch"] = largest(
            lambda batch: estimate_of(replace(setup, batch=batch)), vram_bytes, MOST_BATCH
        )
    return found


def is_algorithm(target: str) -> bool:
    """Return whether ``target`` names an algorithm of stable-baselines3, such as ``dqn``."""
    return target.upper() in ALGORITHMS


def algorithm_answer(
    target: str, env_id: str, policy: str, n_envs: int, settings: list[str], room_bytes: int | None = None
) -> dict[str, Any]:
    """Return the estimate of training the algorithm ``target`` on ``n_envs`` copies of a Gymnasium environment.

    ``settings`` are its hyperparameters as ``key=value``, the values Python literals. One environment is made, for its
    spaces, and closed; a process is started and measured. ``fits`` is None without ``room_bytes``.

    Raises:
        UsageError: no environment of that name, or a hyperparameter that cannot be read or that there is not.
    """
    spaces = _spaces(env_id)
    class_ = algorithm_class(target)
    given = dict(_hyperparameter(text, class_) for text in settings)
    estimate = sb3_memory(class_, *spaces, policy=policy, n_envs=n_envs, **given)
    trained = next(row for row in estimate.rows if row.name == "policy weights")
    return {
        "target": f"{class_.__name__} on {env_id}",
        "parameters": trained.bytes // 4,
        **estimate.as_json(),
        "what": f"{n_envs} environment{'s' if n_envs != 1 else ''}",
        "vram_bytes": room_bytes,
        "fits": None if room_bytes is None else fits(estimate, room_bytes),
    }


def _spaces(env_id: str) -> tuple[Any, Any]:
    """Return the observation and action space of a registered environment."""
    import gymnasium

    if not env_id:
        raise UsageError("An algorithm needs an environment, for its spaces: --env CartPole-v1.", "--env")
    if env_id not in gymnasium.registry:
        raise UnknownNameError("environment", env_id, gymnasium.registry)
    env = gymnasium.make(env_id)
    spaces = env.observation_space, env.action_space
    env.close()
    return spaces


def _hyperparameter(text: str, class_: type) -> tuple[str, Any]:
    """Read ``buffer_size=50_000``; the name must be an argument of the algorithm."""
    name, _, value = text.partition("=")
    legal = set(inspect.signature(class_).parameters) - {"policy", "env", "device", "_init_setup_model"}
    if name not in legal:
        raise UnknownNameError("hyperparameter", name, legal)
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError) as error:
        raise UsageError(
            f"{name} cannot be read: {value!r}. Legal: a Python literal, such as 50_000."
        ) from error


def _estimate(shape: TransformerShape, setup: TrainingSetup, generate: tuple[int, int] | None) -> Estimate:
    """Return the estimate of training, or of generating in the same process where that needs more."""
    training = training_memory(shape, setup)
    if generate is None:
        return training
    batch, length = generate
    generating = generation_memory(
        shape,
        length=length,
        batch=batch,
        dtype=setup.dtype,
        context_bytes=setup.context_bytes,
        fragmentation=setup.fragmentation,
    )
    held = [row for row in training.rows if row.name in HELD]  # what training holds between its steps
    rows = [*held, *(row for row in generating.rows if row.name != "weights")]
    beside = Estimate(tuple(rows), "generation")
    moments = {**training.moments, "generation": beside.total_bytes}
    larger = max(training, beside, key=lambda one: one.total_bytes)
    return Estimate(larger.rows, larger.peak_at, moments)


HELD = frozenset(
    {
        "weights",
        "adapters",
        "gradients",
        "master weights",
        "optimizer states",
        "reference models",
        "value models",
    }
)
"""The rows that live between two steps."""
