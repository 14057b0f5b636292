"""PPO on 256 intersections that step in one call, beside PPO on one: environment steps per CPU-second.

The same network and passes over the data; rollout and minibatch grow with the number of environments, as one would
train. Runs alternate; medians.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

N_STEPS = 240
MINIBATCH = 60  # per environment: four minibatches a pass
EPOCHS = 5
REPEATS = 3


def main() -> list[dict[str, Any]]:
    """Measure both, print and return the ratio."""
    rates: dict[int, list[float]] = {1: [], 256: []}
    for _ in range(REPEATS):
        for n_envs, found in rates.items():
            found.append(_rate(n_envs, iterations=12 if n_envs == 1 else 3))
    one, many = statistics.median(rates[1]), statistics.median(rates[256])
    print(
        f"PPO, 1 environment: {one:,.0f} steps/CPU-s; 256 in one call: {many:,.0f}; {many / one:.1f}x (bar 10x)"
    )
    return [
        {
            "name": "PPO on the batched VecEnv, 256 environments",
            "value": many,
            "unit": "steps/CPU-s",
            "against": f"PPO on one environment ({one:,.0f} steps/CPU-s), bar 10x",
            "ratio": many / one,
        }
    ]


def _rate(n_envs: int, iterations: int) -> float:
    import torch
    from stable_baselines3 import PPO

    from kit.traffic.scenarios import load_scenario

    torch.set_num_threads(1)
    model = PPO(
        "MlpPolicy",
        load_scenario("balanced").make_vec_env(n_envs, 0),
        n_steps=N_STEPS,
        batch_size=MINIBATCH * n_envs,
        n_epochs=EPOCHS,
        gamma=0.97,
        seed=0,
        policy_kwargs={"net_arch": [64, 64]},
    )
    steps = N_STEPS * n_envs
    model.learn(steps)  # compiles, and fills caches
    began = time.process_time()
    model.learn(steps * iterations)
    return steps * iterations / (time.process_time() - began)


if __name__ == "__main__":
    main()
