"""``python -m benchmarks.forecast.hundred_steps NAME``: the hundred-step test of the Kaggle timing analysis.

A fresh model learns for a hundred steps, and those are timed, whatever happens in them: an algorithm that first
collects makes no gradient step, one that trains after whole rollouts takes as many steps as its first one has. Prints
{"steps": done, "seconds": taken} as JSON.
"""

from __future__ import annotations

import argparse
import json
import time

import torch

from benchmarks.forecast.workloads import LoopWorkload, Workload, find_workload

STEPS = 100


def hundred_steps(workload: Workload, seed: int = 0, steps: int = STEPS) -> dict[str, float]:
    """Return the steps that the workload did when asked for a hundred, and the seconds they took."""
    torch.set_num_threads(1)  # as under a session
    return (
        _of_loop(workload, seed, steps)
        if isinstance(workload, LoopWorkload)
        else _of_agent(workload, seed, steps)
    )


def _of_loop(workload: LoopWorkload, seed: int, steps: int) -> dict[str, float]:
    from benchmarks.forecast.loops import Loop

    loop = Loop.of(workload, seed)
    began = time.perf_counter()
    for _ in range(steps):
        loop.step()
    return {"steps": steps, "seconds": time.perf_counter() - began}


def _of_agent(workload: Workload, seed: int, steps: int) -> dict[str, float]:
    from benchmarks.forecast.agents import algorithm_of
    from benchmarks.forecast.places import make_env

    env = make_env(workload, seed)
    model = algorithm_of(workload)("MlpPolicy", env, seed=seed, **workload.hyperparameters())
    began = time.perf_counter()
    model.learn(steps)
    seconds = time.perf_counter() - began
    env.close()
    return {"steps": model.num_timesteps, "seconds": seconds}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print(json.dumps(hundred_steps(find_workload(chosen.name), chosen.seed)))
