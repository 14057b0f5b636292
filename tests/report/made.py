"""A run folder as a real run leaves it, built from parts that a test can leave out or spoil."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG_HASH = "a1b2c3d4e5f60718"
SEEDS = list(range(2_000_000, 2_000_020))
CONTROLLERS = {  # mean delay in s per vehicle, mean queue in vehicles, vehicles left at the end
    "dqn": (21.5, 19.0, 14),
    "max-pressure": (25.4, 23.0, 18),
    "best fixed time": (28.4, 26.0, 20),
    "fixed 30/30": (43.3, 41.0, 60),
}
PHASES = {  # count, wall seconds, CPU seconds
    "setup": (1, 3.1, 2.9),
    "warm_up": (1, 1.4, 1.3),
    "rollout": (23_000, 31.6, 30.1),
    "update": (46_000, 48.2, 47.5),
    "evaluate": (16, 21.3, 5.2),
    "checkpoint": (12, 0.54, 0.2),
}


def write_json(path: Path, value: object) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(value))


def metrics_csv(steps: int = 24_000, every: int = 60) -> str:
    """Return a metrics.csv: reward and loss in every row, an evaluation every 1,500 steps."""
    chance = random.Random(1)
    rows = ["step,episode_reward,train_loss,eval_delay_s_per_vehicle,eval_reward"]
    for step in range(every, steps + 1, every):
        learned = 1 - math.exp(-step / 5000)
        reward, loss = -280 + 150 * learned + chance.gauss(0, 14), 2.2 - 2 * learned + chance.random() / 10
        evaluated = f"{28.5 - 7 * learned!r},{-150 + 30 * learned!r}" if step % 1500 == 0 else ","
        rows.append(f"{step},{reward!r},{loss if step > 1000 else ''},{evaluated}")
    return "\n".join(rows) + "\n"


def results(shift_s: float = 0.0, n_seeds: int = 20) -> dict[str, Any]:
    """An evaluation in which the agent's delay is ``shift_s`` above that of CONTROLLERS."""
    chance = random.Random(2)
    days = [chance.gauss(0, 1.8) for _ in range(n_seeds)]
    controllers, series = [], []
    for name, (delay, queue, left) in CONTROLLERS.items():
        mean = delay + (shift_s if name == "dqn" else 0.0)
        controllers.append(
            {
                "name": name,
                "delay_s_per_vehicle": [mean + day + chance.gauss(0, 0.7) for day in days],
                "mean_queue_veh": [queue + day for day in days],
                "unfinished": [left] * n_seeds,
                "seeds": SEEDS[:n_seeds],
            }
        )
        wave = [queue * (0.4 + 1.2 * math.sin(math.pi * i / 240) ** 2) for i in range(240)]
        times = [15 * (i + 1) for i in range(240)]
        series.append(
            {"controller": name, "time_s": times, "queue_veh": wave, "delay_s": [15 * q for q in wave]}
        )
    return {
        "evaluation": {
            "scenario": "cologne1",
            "n_seeds": n_seeds,
            "controllers": controllers,
            "differences": [],
            "series": series,
        }
    }


def summary(**changes: Any) -> dict[str, Any]:
    """Return the summary of a complete run, with changes."""
    forecast = {
        "total_timesteps": 24_000,
        "predicted_s": 113.0,
        "low_s": 97.0,
        "high_s": 140.0,
        "level": 0.9,
        "calibrated": False,
        "pairs": 3,
        "phases": [{"name": name, "total_s": wall} for name, (_, wall, _) in PHASES.items()],
    }
    return {
        "status": "complete",
        "reason": "reached its total",
        "step": 24_000,
        "total_timesteps": 24_000,
        "requested_timesteps": 24_000,
        "elapsed_s": 121.4,
        "sessions": 2,
        "exact": True,
        "forecast": forecast,
        "log": {"REWARD_MICROSCOPE": {"passed": 240, "dropped": 23_760}},
        **changes,
    }


def run_json(**changes: Any) -> dict[str, Any]:
    """Return the run.json of a run of traffic_signal, with changes."""
    parameters = {"scenario": "cologne1", "algorithm": "dqn", "total_timesteps": 24_000, "quick_test": False}
    return {
        "notebook": "traffic_signal",
        "parameters": {**parameters, "hyperparameters": {"learning_rate": 0.001}},
        "notebook_parameters": parameters,
        "config_hash": CONFIG_HASH,
        "seed": 0,
        "kit": "0.1.0",
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "limits": {"soft_s": 37_800, "hard_s": 42_600},
        **changes,
    }


def make_run(
    root: Path,
    *,
    summary_changes: Mapping[str, Any] | None = None,
    run_changes: Mapping[str, Any] | None = None,
) -> Path:
    """Write a complete run folder into ``root`` and return it."""
    (root / "logs").mkdir(parents=True)
    write_json(root / "run.json", run_json(**(run_changes or {})))
    write_json(root / "summary.json", summary(**(summary_changes or {})))
    write_json(root / "results.json", results())
    phases = [
        {"name": n, "count": c, "total_s": w, "mean_s": w / c, "cpu_s": p} for n, (c, w, p) in PHASES.items()
    ]
    write_json(root / "timing.json", {"phases": phases})
    (root / "metrics.csv").write_text(metrics_csv())
    times = [f"{step},{step * 0.0023!r},{1 if step <= 13_500 else 2}" for step in range(60, 24_001, 60)]
    (root / "timing.csv").write_text("\n".join(["step,time_s,session", *times]) + "\n")
    (root / "logs" / "run.log").write_text("".join(f"INFO kit.session step {n}\n" for n in range(48)))
    for step in (22_500, 24_000):
        folder = root / "checkpoints" / f"step-{step:09d}"
        folder.mkdir(parents=True)
        files = [{"name": "model.safetensors", "bytes": 4_812_345, "sha256": "0" * 64}]
        manifest = {"schema": 1, "step": step, "config_hash": CONFIG_HASH, "exact": True, "files": files}
        write_json(folder / "manifest.json", manifest)
    return root
