import copy
import math
from typing import Any

import pytest

from kit.report.evaluation import Evaluation, read_evaluation
from tests.report.made import results


def read(raw: dict[str, Any], algorithm: str = "dqn") -> tuple[Evaluation, list[str]]:
    """Read results, and what was said about them."""
    problems: list[str] = []
    evaluation = read_evaluation(raw, algorithm, problems)
    assert evaluation is not None
    return evaluation, problems


def controller(name: str, delay: list[float], seeds: list[int] | None = None) -> dict[str, Any]:
    """Return a controller of results.json."""
    return {"name": name, "delay_s_per_vehicle": delay, "seeds": seeds or []}


def test_controllers_are_sorted_and_the_agent_is_found() -> None:
    """The least delay comes first, and the agent is the controller named like the algorithm."""
    evaluation, problems = read(results())
    assert [one.name for one in evaluation.controllers][:2] == ["dqn", "max-pressure"]
    assert evaluation.agent == "dqn"
    assert problems == []


@pytest.mark.parametrize("algorithm", ["DQN", "stable_baselines3.DQN"])
def test_the_agent_is_found_by_the_class_it_was_trained_with(algorithm: str) -> None:
    """The settings may name the class, the results the algorithm."""
    assert read(results(), algorithm)[0].agent == "dqn"


def test_the_agent_is_found_by_its_differences() -> None:
    """Without a name to go by, the agent is what most differences are about."""
    raw = {
        "controllers": [
            controller("ours", [1.0, 2.0]),
            controller("a", [2.0, 3.5]),
            controller("b", [3.0, 4.0]),
        ],
        "differences": [
            {"controller": "ours", "baseline": name, "mean_s": -1, "low_s": -2, "high_s": 0, "n": 2}
            for name in "ab"
        ],
    }
    assert read({"evaluation": raw}, "")[0].agent == "ours"


def test_differences_are_paired_by_seed_not_by_position() -> None:
    """Delays are subtracted seed by seed, whatever order each controller ran them in."""
    raw = {
        "controllers": [controller("dqn", [10.0, 20.0], [1, 2]), controller("timer", [22.0, 11.0], [2, 1])]
    }
    difference = read({"evaluation": raw})[0].differences["timer"]
    assert (difference.mean, difference.n) == (-1.5, 2)


def test_a_written_difference_that_the_seeds_contradict_is_not_believed() -> None:
    """A table that does not follow from its own measurements is overruled, and the reader is told."""
    raw = results()
    false = {
        "controller": "dqn",
        "baseline": "max-pressure",
        "mean_s": -19.0,
        "low_s": -20,
        "high_s": -18,
        "n": 20,
    }
    raw["evaluation"]["differences"] = [false]
    evaluation, problems = read(raw)
    assert evaluation.differences["max-pressure"].mean == pytest.approx(-3.9, abs=0.8)
    assert "the seeds are shown" in problems[0]


def test_a_written_difference_is_used_where_seeds_are_missing() -> None:
    """Differences against the agent are turned round, so that they always read agent minus other."""
    raw = {
        "controllers": [controller("dqn", [10.0, 20.0], [1, 2]), controller("timer", [22.0], [7])],
        "differences": [
            {"controller": "timer", "baseline": "dqn", "mean_s": 4, "low_s": 1, "high_s": 6, "n": 9}
        ],
    }
    difference = read({"evaluation": raw})[0].differences["timer"]
    assert (difference.mean, difference.low, difference.high) == (-4, -6, -1)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("controllers", 1, "name"), 7, "controllers[1] is left out: name is not a name"),
        (("controllers", 1, "delay_s_per_vehicle"), [1, "fast"], "'fast', which is no number"),
        (("controllers", 1, "delay_s_per_vehicle"), [], "has no finite delay_s_per_vehicle"),
        (("controllers", 1), None, "controllers[1] is left out: it is not an object"),
        (("differences",), "none", "evaluation.differences is not a list"),
        (("series", 0, "queue_veh"), [1.0], "are not of equal length"),
        (("series", 0, "time_s"), [], "are not of equal length"),
    ],
)
def test_a_malformed_part_costs_itself_only(path: tuple[str | int, ...], value: object, said: str) -> None:
    """A part that is not what it should be is left out and said; the others are read."""
    raw = copy.deepcopy(results())
    target: Any = raw["evaluation"]
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    evaluation, problems = read(raw)
    assert any(said in problem for problem in problems), problems
    assert evaluation.find("dqn") is not None


def test_no_evaluation_is_no_problem() -> None:
    """A run that has not been evaluated yet is nothing to complain about."""
    problems: list[str] = []
    assert read_evaluation({}, "dqn", problems) is None
    assert problems == []


def test_numbers_too_large_for_a_float_are_missing() -> None:
    """An integer of 400 digits is not measured, and nothing overflows."""
    evaluation, _ = read({"evaluation": {"controllers": [controller("dqn", [1.0, 10**400])]}})
    assert math.isnan(evaluation.controllers[0].delay_s[1])
