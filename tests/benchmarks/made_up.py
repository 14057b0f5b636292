"""Facts made up by hand, of a run of 1,000 steps that is forecast to take 19 s: 2 + 1 + 10 + 5 + 1."""

from __future__ import annotations

from typing import Any

STEPS = 1_000
PHASES = {
    "setup": (1, 2.0),
    "warm_up": (1, 1.0),
    "rollout": (100, 1.0),
    "evaluate": (4, 1.0),
    "finalise": (1, 1.0),
}
MEASURED: dict[str, Any] = {
    "timesteps": 100,
    "plan": {
        "phases": {
            "rollout": {"per_step": 1.0},
            "evaluate": {"repeats": {"units": 2, "every": 1, "times": 10, "stride": 1}},
        }
    },
    "log_lines": 0,
    "log_bytes": 0,
    "checkpoint_cost_s": 0.0,
    "disk_fixed_bytes": 0,
    "disk_per_step_bytes": 0,
    "checkpoint_base_bytes": 0,
}
PREDICTED_S, PREDICTED_CPU_S = 19.0, 9.5


def timing() -> dict[str, Any]:
    """The quick test's timing.json: ten milliseconds a step, a quarter second an episode, half of it on the CPU."""
    phases = [
        {"name": name, "count": count, "total_s": seconds, "cpu_s": seconds / 2}
        for name, (count, seconds) in PHASES.items()
    ]
    return {"phases": phases, "measured": MEASURED}


def rows(slower: float = 1.0) -> list[tuple[int, float]]:
    """A row every five steps; two episodes end every hundredth of them."""
    return [(step, 3.0 + slower * (0.01 * step + 0.5 * (step // 100))) for step in range(5, STEPS + 1, 5)]


def facts(name: str, slower: float = 1.0, **other: Any) -> dict[str, Any]:
    """Those of a workload whose run took ``slower`` times what was forecast, in both kinds of time."""
    pair = {
        "notebook": name,
        "machine": "here",
        "predicted_s": PREDICTED_S,
        "actual_s": slower * PREDICTED_S,
        "date": "2026-01-02",
        "timesteps": STEPS,
        "predicted_cpu_s": PREDICTED_CPU_S,
        "actual_cpu_s": slower * PREDICTED_CPU_S,
        "phases": {"rollout": (10.0, 10.0 * slower), "evaluate": (5.0, 5.0 * slower)},
        "ahead": [{"share": 0.5, "predicted_s": 8.0, "actual_s": 8.0 * slower}],
    }
    return {
        "name": name,
        "timesteps": STEPS,
        "date": "2026-01-02",
        "machine": "here",
        "failure": None,
        "quick": {"timing": timing(), "wall_s": 6.0},
        "hundred_steps": {"steps": 200, "seconds": 1.0},
        "run": {"wall_s": 20.0},
        "rows": rows(slower),
        "pairs": [pair],
    } | other
