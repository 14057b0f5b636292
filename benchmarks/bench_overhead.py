"""What the harness costs at its default cadence, for DQN with a buffer of a million, PPO with 8 environments, and SAC.

Measured inside a run under a session, in CPU-seconds: the callback with its snapshots on the training thread, the
background thread that writes checkpoints, and the processes beside it (watchdog, drawing), over the training itself.
As a check, pairs with bare stable-baselines3, which alternate in order; each run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

PAIRS = 3
BAR_INSIDE = 0.01
SMALL = {"policy_kwargs": {"net_arch": [64, 64]}}
DQN: dict[str, Any] = {
    "learning_rate": 1e-3,
    "gamma": 0.97,
    "batch_size": 64,
    "buffer_size": 1_000_000,
    "learning_starts": 500,
    "train_freq": 1,
    "gradient_steps": 2,
    "target_update_interval": 250,
    "exploration_final_eps": 0.02,
    "exploration_fraction": 0.08,
    **SMALL,
}
PPO: dict[str, Any] = {"n_steps": 240, "batch_size": 480, "n_epochs": 5, "gamma": 0.97, **SMALL}
SAC: dict[str, Any] = {"buffer_size": 1_000_000, "learning_starts": 200, "batch_size": 64, **SMALL}
WORKLOADS: dict[str, tuple[dict[str, Any], int]] = {
    "DQN": (DQN, 180_000),
    "PPO": (PPO, 300_000),
    "SAC": (SAC, 6_000),
}
"""Hyperparameters and steps by algorithm; about half a minute each."""


def main(pairs: int = PAIRS) -> list[dict[str, Any]]:
    """Run the pairs of each workload, print them, and return a row inside and a row paired for each."""
    rows = []
    for name, (_, steps) in WORKLOADS.items():
        found = [_pair(name, number) for number in range(pairs)]
        rows += [_inside_row(name, [ours for _, ours in found], steps), _paired_row(name, found, steps)]
    return rows


def _pair(name: str, number: int) -> tuple[dict[str, float], dict[str, float]]:
    order = ("session", "bare") if number % 2 else ("bare", "session")
    found = {mode: _run(mode, name) for mode in order}
    bare, ours = found["bare"], found["session"]
    print(
        f"{name}, pair {number + 1}: training thread {bare['thread']:.1f} bare, {ours['thread']:.1f} CPU-s "
        f"under the session; inside {ours['inside']:.2%} = callback {ours['callback'] / ours['training']:.2%} + "
        f"background {ours['background'] / ours['training']:.2%}; processes beside "
        f"{ours['beside'] / ours['training']:.2%}; "
        f"{ours['checkpoints']:.0f} checkpoints"
    )
    return bare, ours


def _inside_row(name: str, runs: list[dict[str, float]], steps: int) -> dict[str, Any]:
    inside = statistics.median(run["inside"] for run in runs)
    beside = statistics.median(run["beside"] / run["training"] for run in runs)
    text = f"its training, {steps:,} steps, bar {BAR_INSIDE:.0%}; watchdog and drawing beside it {beside:.1%} more"
    print(f"{name}, harness inside: median {inside:.2%}; {text}")
    return {
        "name": f"harness inside, {name}",
        "value": 100 * inside,
        "unit": "% of training CPU",
        "against": text,
        "ratio": inside,
    }


def _paired_row(
    name: str, found: list[tuple[dict[str, float], dict[str, float]]], steps: int
) -> dict[str, Any]:
    from kit.traffic.evaluation import t_quantile

    ratios = [ours["thread"] / bare["thread"] for bare, ours in found]
    middle, mean = statistics.median(ratios), statistics.fmean(ratios)
    half = t_quantile(0.975, len(ratios) - 1) * statistics.stdev(ratios) / math.sqrt(len(ratios))
    text = f"bare SB3, {steps:,} steps; 95 % interval {mean - half:.3f} to {mean + half:.3f}, {len(ratios)} pairs"
    print(f"{name}, training thread, session / bare: median {middle:.3f}; {text}")
    return {
        "name": f"training thread, session / bare, {name}",
        "value": middle,
        "unit": "ratio of CPU-s",
        "against": text,
        "ratio": middle,
    }


def _run(mode: str, name: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_overhead", "--mode", mode, "--workload", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _make_env(name: str) -> Any:
    if name == "SAC":
        import gymnasium

        return gymnasium.make("Pendulum-v1")
    from kit.traffic.scenarios import load_scenario

    return load_scenario("balanced").make_vec_env({"DQN": 4, "PPO": 8}[name], 0)


def _timed(name: str, measured: dict[str, float]) -> Any:
    """Return the algorithm, reading the clock of the training thread around its own ``learn``."""
    import stable_baselines3

    algorithm = getattr(stable_baselines3, name)
    learn = algorithm.learn

    def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        began = time.thread_time()
        try:
            return learn(self, *args, **kwargs)
        finally:
            measured["thread"] = time.thread_time() - began

    algorithm.learn = timed  # the class itself: a subclass would count as another algorithm
    return algorithm


def _bare(name: str) -> dict[str, float]:
    settings, steps = WORKLOADS[name]
    measured: dict[str, float] = {}
    env = _make_env(name)
    env.reset()
    _timed(name, measured)("MlpPolicy", env, seed=0, **settings).learn(steps)
    return measured


def _session(name: str) -> dict[str, float]:
    from kit import TrainingSession
    from kit.sb3 import learn

    settings, steps = WORKLOADS[name]
    measured = {"callback": 0.0, "clock": 0.0}
    _measure_callback(measured)
    with (
        tempfile.TemporaryDirectory() as folder,
        TrainingSession.open(
            "overhead", total_timesteps=steps, config={"seed": 0}, out=f"{folder}/run"
        ) as session,
    ):
        learn(session, _timed(name, measured), "MlpPolicy", lambda: _make_env(name), **settings)
        measured["background"] = _background_cpu()
        session.figures.settle()  # drawings asked for during training, at the lowest priority, belong to it
        measured["beside"] = _children_cpu()
        rows = {row["name"]: row["count"] for row in session.timer.rows()}
        measured["checkpoints"] = rows["checkpoint"]
    measured["training"] = measured["thread"] - measured["callback"] - measured["clock"]
    measured["inside"] = (measured["callback"] + measured["background"]) / measured["training"]
    return measured


def _measure_callback(measured: dict[str, float]) -> None:
    """Sum the CPU time of everything that SB3 calls in the harness.

    The clock of the thread's CPU time is a system call, on some machines dearer than what it measures: its price is
    taken each time, by a second call, and left out. ``on_step`` takes a fraction of a microsecond: it is counted, and
    its price taken once.
    """
    from kit.sb3.callback import SessionCallback

    original, on_step = SessionCallback.on_rollout_start, SessionCallback.on_step
    clock, price = time.thread_time, 0.0

    def on_rollout_start(self: Any) -> None:
        nonlocal price
        clock()  # the first call after a while is dearer
        before = clock()
        began = clock()
        original(self)
        took, asked = clock() - began, began - before
        measured["callback"] += max(0.0, took - asked) + price * self.model.n_calls_since
        measured["clock"] += 4 * asked
        self.model.n_calls_since = 0

    def counted(self: Any) -> bool:
        self.model.n_calls_since += 1
        return on_step(self)

    start = SessionCallback.on_training_start

    def on_training_start(self: Any, *args: Any) -> None:
        nonlocal price
        start(self, *args)
        began = clock()
        for _ in range(100_000):
            on_step(self)
        price = (clock() - began) / 100_000
        self.model.n_calls_since = 0

    SessionCallback.on_rollout_start = on_rollout_start  # type: ignore[method-assign]
    SessionCallback.on_step = counted  # type: ignore[method-assign]
    SessionCallback.on_training_start = on_training_start  # type: ignore[method-assign]


def _background_cpu() -> float:
    """Return the CPU-seconds of every thread of the kit in this process, by the kernel's account."""
    names = [thread for thread in threading.enumerate() if thread.name.startswith("kit-")]
    files = [Path(f"/proc/self/task/{thread.native_id}/schedstat") for thread in names]
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def _children_cpu() -> float:
    import psutil

    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=("bare", "session"))
    parser.add_argument("--workload", choices=WORKLOADS, default="DQN")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    chosen = parser.parse_args()
    if chosen.mode:
        import torch

        torch.set_num_threads(1)
        print(json.dumps({"bare": _bare, "session": _session}[chosen.mode](chosen.workload)))
    else:
        main(chosen.pairs)
