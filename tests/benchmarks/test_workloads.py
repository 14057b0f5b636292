"""Every workload of the forecast benchmark can be made, trains and is evaluated."""

import math
from dataclasses import replace

import pytest

from benchmarks.forecast.agents import algorithm_of
from benchmarks.forecast.loops import Loop
from benchmarks.forecast.places import evaluation_of, make_env
from benchmarks.forecast.workloads import TABLE, WORKLOADS, AgentWorkload, LoopWorkload, find_workload
from kit.errors import UnknownNameError

AGENTS = [one for one in TABLE if isinstance(one, AgentWorkload)]
LOOPS = [one for one in TABLE if isinstance(one, LoopWorkload)]
EARLY = 8


def test_the_table_has_what_was_asked_for():
    """Twelve workloads at least, every algorithm, every kind of place, and loops of one's own; no name twice."""
    assert len(WORKLOADS) == len(TABLE) >= 12
    assert {one.algorithm for one in AGENTS} == {"DQN", "PPO", "A2C", "SAC", "TD3"}
    assert {one.place for one in AGENTS} == {"cartpole", "pendulum", "varying", "cologne1", "plate"}
    assert len(LOOPS) == 2


def test_an_unknown_workload_is_named():
    """With the nearest there is."""
    with pytest.raises(UnknownNameError, match="loop-mlp"):
        find_workload("loop-mpl")


@pytest.mark.slow
@pytest.mark.parametrize("workload", AGENTS, ids=lambda one: one.name)
def test_an_agent_trains_and_is_evaluated(workload):
    """A first update and one episode of evaluation, in environments of their own."""
    if workload.place == "cologne1":
        pytest.importorskip("libsumo")
    early = {"learning_starts": EARLY} if "learning_starts" in workload.settings else {}
    small = replace(workload, episodes=1, settings={**workload.settings, **early})
    env = make_env(small, 0)
    model = algorithm_of(small)("MlpPolicy", env, seed=0, **small.hyperparameters())
    model.learn(4 * EARLY)
    assert model._n_updates > 0
    assert model.policy_kwargs["net_arch"] == list(workload.net_arch)
    evaluation = evaluation_of(small)
    assert math.isfinite(evaluation.run(model)[evaluation.metric])
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("workload", LOOPS, ids=lambda one: one.name)
def test_a_loop_trains_and_validates(workload):
    """Its loss falls over fifty steps."""
    loop = Loop.of(workload, 0)
    first = loop.validate()
    for _ in range(50):
        loop.step()
    assert loop.validate() < first
