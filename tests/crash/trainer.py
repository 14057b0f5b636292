"""A process that trains under a session, to be stopped and killed: ``python -m tests.crash.trainer KIND OUT``.

Each KIND is a workload that resumes in its own way. The last line printed is the status, the step and a hash of
the weights.
"""

import argparse
import ctypes
import hashlib
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kit import TrainingSession
from kit.harness.cadence import Cadence
from tests.crash.walk import Walk

SMALL = {"policy_kwargs": {"net_arch": [16]}}
DQN = SMALL | {"learning_starts": 100, "buffer_size": 400, "batch_size": 16, "target_update_interval": 90}
PPO = SMALL | {"n_steps": 32, "batch_size": 32, "n_epochs": 2}


GROW = {"mb_per_step": 0.0}
GROWN: list[Any] = []
"""What a walk that leaks holds on to."""


def stop_at(session: TrainingSession, step: int) -> None:
    """Let the session wish to stop at its first boundary from ``step`` on, looking at each."""
    due = session.pace.look_due

    def look_due() -> bool:
        due()
        if session.step >= step:
            session.pace.wish = "asked to by a test"
        return True

    session.pace.look_due = look_due  # type: ignore[method-assign]


def hang() -> None:
    """Call a function that never returns and keeps the interpreter's lock: a mutex taken twice."""
    library, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)


def train_walk(session: TrainingSession, pause_s: float, hang_at: int) -> bytes:
    """A loop of one's own over numpy; at ``hang_at`` a native call takes the interpreter's lock and keeps it."""
    walk = Walk(session.seed, pause_s)
    session.register(walk=walk)
    for step in session.steps():
        if step == hang_at:
            hang()
        if GROW["mb_per_step"]:
            GROWN.append(np.ones(int(GROW["mb_per_step"] * 131_072)))
        distance = walk.advance()
        if (step + 1) % 5 == 0:
            session.record(distance=distance)
    return walk.at.tobytes()


def train_torch(session: TrainingSession, pause_s: float, hang_at: int) -> bytes:
    """A loop of one's own over a torch module with dropout and its optimizer."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(session.seed)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.Linear(8, 1))
    optimizer = torch.optim.Adam(network.parameters())
    session.register(network=network, optimizer=optimizer, walk=Walk(session.seed, pause_s))
    for step in session.steps():
        inputs = torch.randn(8, 4)
        loss = ((network(inputs) - inputs.sum(1, keepdim=True)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 5 == 0:
            session.record(loss=loss.item())
    return weights_of(network)


def train_sb3(
    algorithm: str, env: str, n_envs: int, session: TrainingSession, pause_s: float, hang_at: int
) -> bytes:
    """stable-baselines3 on the embedded traffic environment (get_state) or on CartPole (pickle)."""
    import gymnasium
    import stable_baselines3
    from stable_baselines3.common.env_util import make_vec_env

    from kit.sb3 import Evaluation, learn
    from kit.traffic.scenarios import load_scenario

    def measure(model: Any) -> dict[str, float]:
        observations = np.linspace(-1, 1, 5 * model.observation_space.shape[0], dtype=np.float32)
        actions, _ = model.predict(observations.reshape(5, -1), deterministic=True)
        return {"actions": float(np.sum(actions))}

    def make_env() -> Any:
        if env == "traffic":
            return load_scenario("varying").make_vec_env(n_envs, session.seed)
        if n_envs == 1:
            return gymnasium.make("CartPole-v1")
        return make_vec_env("CartPole-v1", n_envs)

    evaluation = Evaluation(run=measure, every=150, metric="actions", maximise=True)
    settings = DQN if algorithm == "DQN" else PPO
    kind = getattr(stable_baselines3, algorithm)
    model = learn(session, kind, "MlpPolicy", make_env, evaluation=evaluation, **settings)
    return weights_of(model.policy)


def weights_of(module: Any) -> bytes:
    """Return the bytes of all parameters and buffers of a torch module."""
    return b"".join(tensor.detach().numpy().tobytes() for tensor in module.state_dict().values())


KINDS: dict[str, Callable[[TrainingSession, float, int], bytes]] = {
    "walk": train_walk,
    "torch": train_torch,
    **{
        f"{algorithm.lower()}-{env}-{n}": partial(train_sb3, algorithm, env, n)
        for algorithm in ("DQN", "PPO")
        for env in ("traffic", "cartpole")
        for n in (1, 2, 4)
    },
}


OFTEN = {"checkpoint_min_s": 0.05, "checkpoint_max_s": 0.05, "export_min_s": 0.5, "export_every_steps": 20}


def train(
    kind: str,
    out: str,
    *,
    steps: int = 500,
    cut_at: int = -1,
    pause_s: float = 0.0,
    hang_at: int = -1,
    every: int | None = None,
    **options: Any,
) -> tuple[dict[str, Any], str]:
    """Train, or go on with what is there; return the summary and a hash of the weights."""
    random.seed(3)
    np.random.seed(3)
    cadence = Cadence(checkpoint_every_steps=every, **OFTEN)
    options |= {"out": out, "cadence": cadence, "metrics_every": 20}
    with TrainingSession.open(kind, total_timesteps=steps, config={"seed": 3}, **options) as session:
        if cut_at >= 0:
            stop_at(session, cut_at)
        weights = KINDS[kind](session, pause_s, hang_at)
    return session.close(), hashlib.sha256(weights).hexdigest()[:16]


def main() -> None:
    """Train, or go on with what is there, as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--cut-at", type=int, default=-1, help="stop at the first boundary from this step on")
    parser.add_argument("--pause-s", type=float, default=0.0, help="seconds that each step waits")
    parser.add_argument("--hang-at", type=int, default=-1)
    parser.add_argument("--soft-limit", default="")
    parser.add_argument("--hard-limit", default="")
    parser.add_argument("--on-pressure", default="report")
    parser.add_argument("--hang-limit", default="10m")
    parser.add_argument("--end-hang", action="store_true")
    parser.add_argument("--memory-limit", default="")
    parser.add_argument("--disk-limit", default="")
    parser.add_argument("--grow-mb-per-step", type=float, default=0.0, help="memory that a walk leaks")
    chosen = vars(parser.parse_args())
    GROW["mb_per_step"] = chosen.pop("grow_mb_per_step")
    summary, digest = train(chosen.pop("kind"), chosen.pop("out"), **chosen)
    print(summary["status"], summary["step"], digest)


if __name__ == "__main__":
    main()
