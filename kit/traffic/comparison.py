"""The comparison at the end: every controller on the same test days, as one plain object for results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kit.errors import UsageError
from kit.traffic.controllers import Controller, Policy
from kit.traffic.evaluation import EpisodeResult, evaluate, paired_differences
from kit.traffic.seeds import test_seeds

if TYPE_CHECKING:
    from kit.traffic.scenarios import Scenario


class Predictor(Protocol):
    """A trained model: stable-baselines3's ``predict``."""

    def predict(self, observation: Any, /, *, deterministic: bool) -> tuple[np.ndarray, Any]:
        """Return (B,) actions for (B, n_obs) observations, and a state that is not used."""
        ...


def policy_of(name: str, model: Predictor) -> Policy:
    """Return the controller that does what ``model`` finds best, without exploring."""
    return Policy(name, lambda observations: model.predict(observations, deterministic=True)[0])


def comparison_days(n: int) -> list[int]:
    """Return ``n`` test days; raises UsageError for fewer than the two that an interval takes."""
    if n < 2:
        raise UsageError(f"test_days must be at least 2, for an interval, not {n}.")
    return test_seeds(n)


def measure(scenario: Scenario, days: Sequence[int], model: Predictor) -> dict[str, float]:
    """Return the means over ``days`` of a model's delay (s/veh), queue (veh), unfinished vehicles and reward.

    The days are played in simulations of their own; the training environment is not touched.
    """
    results = scenario.run_episodes(policy_of("model", model), days)
    return {
        "delay_s_per_vehicle": float(np.mean([r.delay_s_per_vehicle for r in results])),
        "mean_queue_veh": float(np.mean([r.mean_queue_veh for r in results])),
        "unfinished": float(np.mean([r.unfinished for r in results])),
        "reward": float(np.mean([r.reward for r in results])),
    }


def compare(
    scenario: Scenario, agent: Policy, baselines: Sequence[Controller], days: Sequence[int]
) -> dict[str, Any]:
    """Play every test day with the agent and every baseline, over equal horizons, and compare them in pairs.

    Returns:
        ``evaluation`` with ``controllers`` (delay, queue and unfinished vehicles for each day), ``differences``
        (agent minus each baseline: mean delay in s/veh with its 95 % interval; the best baseline first) and
        ``series`` (queue and delay over the hour, means over days).
    """
    results = evaluate(scenario, [agent, *baselines], days)
    by_name = {c.name: [r for r in results if r.controller == c.name] for c in (agent, *baselines)}
    ranked = sorted((c.name for c in baselines), key=lambda name: _mean_delay(by_name[name]))
    pairs = [
        pair for name in ranked for pair in paired_differences(results, name) if pair.controller == agent.name
    ]
    rows = [_row(name, by_name[name]) for name in (agent.name, *ranked)]
    return {
        "evaluation": {
            "scenario": scenario.name,
            "n_seeds": len(days),
            "controllers": rows,
            "differences": [asdict(pair) for pair in pairs],
            "series": [_series(scenario, name, by_name[name]) for name in (agent.name, *ranked)],
        }
    }


def _mean_delay(results: Sequence[EpisodeResult]) -> float:
    return float(np.mean([r.delay_s_per_vehicle for r in results]))


def _row(name: str, results: Sequence[EpisodeResult]) -> dict[str, Any]:
    return {
        "name": name,
        "seeds": [r.seed for r in results],
        "delay_s_per_vehicle": [r.delay_s_per_vehicle for r in results],
        "mean_queue_veh": [r.mean_queue_veh for r in results],
        "vehicles": [r.vehicles for r in results],
        "unfinished": [r.unfinished for r in results],
    }


def _series(scenario: Scenario, name: str, results: Sequence[EpisodeResult]) -> Mapping[str, Any]:
    times = [scenario.interval_s * (i + 1) for i in range(scenario.horizon_decisions)]
    return {
        "controller": name,
        "time_s": times,
        "queue_veh": np.mean([r.queue_veh for r in results], axis=0).tolist(),
        "delay_s": np.mean([r.delay_s for r in results], axis=0).tolist(),
    }
