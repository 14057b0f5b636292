"""The round trip: the last checkpoint, read back from disk into a model and an environment that were just made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from kit.harness.checkpoints import CheckpointStore
from kit.preflight.resume import RoundTrip
from kit.randomness import capture_generators
from kit.sb3.environment_state import CaptureMethod
from kit.sb3.evaluation_watch import COMPARED
from kit.sb3.state import ExactState
from kit.session import TrainingSession
from kit.tensors import decode, encode

PARTS = {
    "optimizers": ("torch", "tensors"),
    "counters": ("counters", "episodes", "successes"),
    "last observations": ("observed", "memory"),
    "wrappers": ("wrappers",),
    "noise": ("noise",),
}
"""What is compared beside weights and buffer, and which parts of the captured state that is."""


def round_trip(
    session: TrainingSession,
    model: BaseAlgorithm,
    state: ExactState,
    remake: Callable[[], BaseAlgorithm],
    method: CaptureMethod,
) -> RoundTrip:
    """Load the newest checkpoint of ``session`` into what ``remake`` makes, and compare that with ``model``.

    The global random number generators are another afterwards.
    """
    store = CheckpointStore(session.folder.checkpoints, session.record_of_run.config_hash)
    newest = store.newest()
    if newest is None:
        return RoundTrip(None, (), (), None, session.inexact_reason)
    saved = decode(store.load(newest), lambda log: store.frames(newest, log))["tree"]["model"]
    other = remake()
    env = other.get_env()
    assert env is not None
    try:
        restored = ExactState(other, method)
        restored.restore(saved)
        restored.restore_late(saved)
        generators = capture_generators()
        compared = _compare(model, other, state.capture(), restored.capture())
        wanted = {name: part for name, part in saved["generators"].items() if name != "action_space"}
        compared["generators"] = _bytes(generators) == _bytes(wanted)
    finally:
        env.close()
    rows = _rows(model)
    differ = tuple(name for name, same in compared.items() if not same)
    return RoundTrip(newest.step, tuple(compared), differ, rows, session.inexact_reason)


def _compare(model: Any, other: Any, live: dict[str, Any], back: dict[str, Any]) -> dict[str, bool]:
    """Return for each part whether it came back; weights and buffer are taken from the models themselves."""
    compared = {"weights": _same_weights(model, other)}
    if _rows(model) is not None:
        compared["replay buffer"] = _same_buffer(model.replay_buffer, other.replay_buffer)
    for name, parts in PARTS.items():
        compared[name] = all(_bytes(live[part]) == _bytes(back[part]) for part in parts)
    if live["environment"]["method"] in COMPARED:
        compared["environment"] = _bytes(live["environment"]) == _bytes(back["environment"])
    return compared


def _same_weights(model: BaseAlgorithm, other: BaseAlgorithm) -> bool:
    ours, theirs = model.policy.state_dict(), other.policy.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name], theirs[name]) if isinstance(ours[name], torch.Tensor) else True
        for name in ours
    )


def _rows(model: Any) -> int | None:
    """Return the transitions in the replay buffer, None where the algorithm has none."""
    buffer = getattr(model, "replay_buffer", None)
    return None if buffer is None else int(buffer.size()) * int(model.n_envs)


def _same_buffer(ours: Any, theirs: Any) -> bool:
    if type(ours) is not type(theirs) or (ours.pos, ours.full) != (theirs.pos, theirs.full):
        return False
    size = ours.size()
    for name, value in vars(ours).items():
        arrays = value.items() if isinstance(value, dict) else [("", value)]
        there = vars(theirs).get(name)
        for key, array in arrays:
            found: Any = there.get(key) if isinstance(there, dict) else there
            if isinstance(array, np.ndarray) and not np.array_equal(
                array[:size], found[:size], equal_nan=_is_float(array)
            ):
                return False
    return True


def _is_float(array: np.ndarray) -> bool:
    return array.dtype.kind in "fc"


def _bytes(value: Any) -> list[bytes]:
    return [*encode({"": value}).values()]
