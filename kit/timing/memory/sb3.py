"""Memory of a stable-baselines3 run before it starts: networks, optimizer, buffers, batch, checkpoint, process.

Networks are built on torch's meta device, where tensors have a shape and no memory: whatever policy class, feature
extractor or ``net_arch`` is asked for is counted as it will be. Buffers are sums of what their classes allocate.
"""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
from typing import Any

from kit.errors import KitError, UnknownNameError
from kit.timing.memory.buffers import Spaces, replay_bytes, rollout_bytes
from kit.timing.memory.estimate import Estimate, Row
from kit.timing.memory.networks import Networks, meta_networks

ALGORITHMS = {
    **dict.fromkeys(("A2C", "DDPG", "DQN", "PPO", "SAC", "TD3"), "stable_baselines3"),
    "QRDQN": "sb3_contrib",
}
"""The algorithms whose buffers are known here, and the package of each."""
SMALL_BUFFER_BYTES = 16 * 2**20
"""A replay buffer up to this size is copied whole by a checkpoint; of a larger one a frame at a time is read."""
FRAME_BYTES = 2**20
COPIES = 3
"""What a checkpoint holds of the state that it writes: the snapshot, its serialised form, and the bytes of the file."""
_MEASURE = """
import importlib, pathlib, re
importlib.import_module({package!r})
from stable_baselines3 import PPO
PPO("MlpPolicy", "CartPole-v1", n_steps=16, batch_size=16, n_epochs=1, device="cpu").learn(16)
print(re.search(r"RssAnon:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
"""
"""What the first gradient step loads is there as well: torch brings in a part of itself then."""


def sb3_memory(
    algorithm: str | type,
    observation_space: Any,
    action_space: Any,
    *,
    policy: str = "MlpPolicy",
    n_envs: int = 1,
    process_bytes: int | None = None,
    **hyperparameters: Any,
) -> Estimate:
    """Return what a run of ``algorithm`` holds in RAM (networks and batch: on its device), all in bytes.

    ``hyperparameters`` are the algorithm's own, such as ``buffer_size``, ``batch_size`` or ``policy_kwargs``; what is
    not given has its default. ``process_bytes`` is what a process with torch and the library holds after a first tiny
    gradient step; left out, it is measured here by starting one. Environments, VecNormalize and figures are not in it.

    Raises:
        UnknownNameError: no algorithm of that name is known here.
        KitError: the process to be measured could not run the library.
    """
    class_ = algorithm_class(algorithm)
    networks = meta_networks(class_, policy, observation_space, action_space, n_envs, hyperparameters)
    spaces = Spaces(networks.observation_space, action_space)
    rows = [
        *_network_rows(networks),
        *_buffer_rows(networks.settings, spaces, n_envs),
        *_batch_rows(networks, spaces),
        _checkpoint_row(networks, spaces, n_envs),
        _process_row(class_, process_bytes),
    ]
    return Estimate.at_peak({"training": rows})


def algorithm_class(algorithm: str | type) -> type:
    """Return the class of a name such as ``dqn``; raises UnknownNameError for one that is not in ``ALGORITHMS``."""
    name = (algorithm if isinstance(algorithm, str) else algorithm.__name__).upper()
    if name not in ALGORITHMS:
        raise UnknownNameError("algorithm", name, ALGORITHMS)
    if not isinstance(algorithm, str):
        return algorithm
    found: type = getattr(importlib.import_module(ALGORITHMS[name]), name)
    return found


@functools.cache
def process_bytes(package: str = "stable_baselines3") -> int:
    """Return the private memory of a process with ``package`` after a first gradient step; takes seconds, once.

    Raises:
        KitError: it could not.
    """
    command = [sys.executable, "-c", _MEASURE.format(package=package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip().isdigit():
        raise KitError(f"A process with {package} could not be measured: {done.stderr.strip()[-300:]}")
    return int(done.stdout) * 1024


def _network_rows(networks: Networks) -> list[Row]:
    """Return weights (4 B each), what only follows them (target networks), gradients, optimizer states."""
    trained, following = networks.trained, networks.parameters - networks.trained
    return [
        Row("policy weights", networks.trained_bytes, f"{trained:,} trained"),
        Row("target networks", networks.bytes - networks.trained_bytes, f"{following:,} that follow"),
        Row("gradients", networks.trained_bytes, f"of {trained:,} parameters"),
        Row("optimizer states", networks.optimizer_bytes, networks.optimizer),
    ]


def _buffer_rows(settings: Any, spaces: Spaces, n_envs: int) -> list[Row]:
    """Return the replay buffer, or the rollout buffer with the copy that flattening its largest array takes."""
    if hasattr(settings, "buffer_size"):
        size = max(settings.buffer_size // n_envs, 1)
        total = replay_bytes(
            spaces, settings.buffer_size, n_envs, optimize_memory_usage=settings.optimize_memory_usage
        )
        each = total // (size * n_envs)
        return [Row("replay buffer", total, f"{size:,} × {n_envs} transitions of {each:,} B")]
    total, largest = rollout_bytes(spaces, settings.n_steps, n_envs)
    return [
        Row("rollout buffer", total, f"{settings.n_steps:,} steps × {n_envs} environments"),
        Row("flattened copy", largest, "of its largest array, while minibatches are drawn"),
    ]


def _batch_rows(networks: Networks, spaces: Spaces) -> list[Row]:
    """Return one batch as tensors and what its forward and backward pass holds at most."""
    sides = 2 if hasattr(networks.settings, "buffer_size") else 1
    sample = networks.batch * (sides * (spaces.observation_bytes + 4 * spaces.observation_numbers))
    sample += networks.batch * (spaces.action_bytes + 16)
    return [
        Row("sampled batch", sample, f"{networks.batch:,} transitions, as stored and as fp32"),
        Row("batch activations", 2 * networks.activation_bytes, "every module's output, and its gradient"),
    ]


def _checkpoint_row(networks: Networks, spaces: Spaces, n_envs: int) -> Row:
    """Return what a checkpoint adds: ``COPIES`` of weights and optimizer states, and of a small replay buffer."""
    state = networks.bytes + networks.optimizer_bytes
    settings, words = networks.settings, "of weights and optimizer states"
    if hasattr(settings, "buffer_size"):
        optimized = settings.optimize_memory_usage
        buffer = replay_bytes(spaces, settings.buffer_size, n_envs, optimize_memory_usage=optimized)
        small = buffer <= SMALL_BUFFER_BYTES
        state += buffer if small else FRAME_BYTES
        words += ", and of the replay buffer" if small else ", and of a frame of transitions"
    return Row("checkpoint", COPIES * state, f"{COPIES} copies {words}")


def _process_row(class_: type, given: int | None) -> Row:
    package = ALGORITHMS[class_.__name__]
    if given is not None:
        return Row("process", given, "Python with torch and the library, as given")
    return Row(
        "process", process_bytes(package), f"a process with {package} after a first step, measured here"
    )
