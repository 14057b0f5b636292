"""What the harness costs: DQN on the embedded environment, under a session at its default cadence and bare.

The training phase alone (inside ``learn``), in CPU-seconds: of the training thread, and of all processes together
(training process with its background threads, the watchdog, the drawing process, including their start). Pairs
alternate in order; each run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

STEPS = 100_000
PAIRS = 5
SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "gamma": 0.97,
    "batch_size": 64,
    "buffer_size": 100_000,
    "learning_starts": 500,
    "train_freq": 1,
    "gradient_steps": 2,
    "target_update_interval": 250,
    "exploration_final_eps": 0.02,
    "exploration_fraction": 0.08,
    "policy_kwargs": {"net_arch": [64, 64]},
}


def main(steps: int = STEPS, pairs: int = PAIRS) -> list[dict[str, Any]]:
    """Run the pairs, print them, and return the two ratios with their 95 % intervals."""
    ratios: dict[str, list[float]] = {"thread": [], "all": []}
    for pair in range(pairs):
        order = ("session", "bare") if pair % 2 else ("bare", "session")
        found = {mode: _run(mode, steps) for mode in order}
        for name, values in ratios.items():
            values.append(found["session"][name] / found["bare"][name])
        bare, ours = found["bare"], found["session"]
        print(
            f"pair {pair + 1}: bare {bare['thread']:.1f} / {bare['all']:.1f} CPU-s, under the session "
            f"{ours['thread']:.1f} / {ours['all']:.1f} (thread / all): "
            f"{ratios['thread'][-1]:.3f} {ratios['all'][-1]:.3f}"
        )
    return [
        _row("training thread, session / bare", ratios["thread"], 1.02),
        _row("all processes, session / bare", ratios["all"], 1.05),
    ]


def _row(name: str, values: list[float], bar: float) -> dict[str, Any]:
    from kit.traffic.evaluation import t_quantile

    middle, mean = statistics.median(values), statistics.fmean(values)
    half = t_quantile(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    interval = f"95 % interval {mean - half:.3f} to {mean + half:.3f}"
    text = f"bare SB3, bar {bar}; mean {mean:.3f}, {interval}, {len(values)} pairs"
    print(f"{name}: median {middle:.3f}; {text}")
    return {"name": name, "value": middle, "unit": "ratio of CPU-s", "against": text, "ratio": middle}


def _run(mode: str, steps: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_overhead", "--mode", mode, "--steps", str(steps)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _train(mode: str, steps: int) -> dict[str, float]:
    import torch
    from stable_baselines3 import DQN

    from kit.traffic.scenarios import load_scenario

    torch.set_num_threads(1)
    env_of = load_scenario("balanced").make_vec_env
    measured: dict[str, float] = {}

    class Timed(DQN):
        """DQN that reads the CPU clocks around its own ``learn``."""

        def learn(self, *args: Any, **kwargs: Any) -> Any:
            thread, everything = time.thread_time(), _cpu_of_all()
            try:
                return super().learn(*args, **kwargs)
            finally:
                measured["thread"] = time.thread_time() - thread
                measured["all"] = _cpu_of_all() - everything

    if mode == "bare":
        env = env_of(4, 0)
        env.reset()
        env.step([0, 0, 0, 0])
        Timed("MlpPolicy", env, seed=0, **SETTINGS).learn(steps)
        return measured
    from kit import TrainingSession
    from kit.sb3 import learn

    with tempfile.TemporaryDirectory() as folder:
        config = {"scenario": "balanced", "seed": 0}
        with TrainingSession.open(
            "overhead", total_timesteps=steps, config=config, out=f"{folder}/run"
        ) as session:
            before = _children_cpu()  # what the watchdog has spent by now belongs to opening, yet counts
            learn(session, Timed, "MlpPolicy", lambda: env_of(4, 0), **SETTINGS)
            so_far = _children_cpu()
            session.figures.settle()  # drawings asked for during training, at the lowest priority, belong to it
            measured["all"] += before + _children_cpu() - so_far
    return measured


def _cpu_of_all() -> float:
    return time.process_time() + _children_cpu()


def _children_cpu() -> float:
    import psutil

    total = 0.0
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=("bare", "session"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    chosen = parser.parse_args()
    if chosen.mode:
        print(json.dumps(_train(chosen.mode, chosen.steps)))
    else:
        main(chosen.steps, chosen.pairs)
