import dataclasses
import functools
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import ConfigMismatchError
from kit.harness.config import MISSING, config_hash, describe, differences, refuse_other_config

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ELSEWHERE = """
import numpy as np
from functools import partial
from pathlib import Path
from tests.harness.test_config import CONFIG
from kit.harness.config import config_hash
print(config_hash(CONFIG))
"""


@dataclasses.dataclass(frozen=True)
class Rate:
    """A setting of a class of one's own."""

    start: float
    end: float = 0.0


def linear(start: float) -> Callable[[float], float]:
    """Return a schedule that closes over its start, as people write them."""
    return lambda left: start * left


class Schedule:
    """A schedule with a state and no repr, as people write them."""

    def __init__(self, start: float) -> None:
        self.start = start

    def __call__(self, left: float) -> float:
        """Return the rate with that share of the run left."""
        return self.start * left

    def rate(self, left: float) -> float:
        """Return the rate, as a method to be bound."""
        return self.start * left


class Slotted:
    """An object that keeps its state in slots."""

    __slots__ = ("start",)

    def __init__(self, start: float) -> None:
        self.start = start


def closing_over(method: Callable[[float], float]) -> Callable[[float], float]:
    """Return a function that closes over a bound method."""
    return lambda left: method(left)


def doubled() -> type:
    """Return a class that is called otherwise than the Schedule whose name it takes."""

    class Twice(Schedule):
        def __call__(self, left: float) -> float:
            return 2 * self.start * left

    Twice.__qualname__, Twice.__module__ = Schedule.__qualname__, Schedule.__module__
    return Twice


CONFIG = {
    "rate": Rate(0.1),
    "schedule": linear(0.1),
    "reward": lambda queue, delay=2.0: -np.sqrt(queue) * delay,
    "activation": Rate,
    "partial": functools.partial(linear, 0.3),
    "table": np.arange(3_000),
    "scalar": np.float32(0.1),
    "names": {"b", "a"},
    "where": Path("runs") / "x",
    "nested": {"z": [1, 2.0, None, True], "a": (1,)},
    "object": object(),
    "schedule object": Schedule(0.1),
    "bound": Schedule(0.1).rate,
}


def test_a_hash_is_the_same_in_every_process():
    """Functions, classes, closures, arrays, sets and objects hash alike under another hash seed."""
    hashes = [
        subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert hashes == [config_hash(CONFIG)] * 2


@given(st.dictionaries(st.text(), JSON, max_size=6))
def test_the_order_of_settings_does_not_matter(config):
    """The same settings in another order have the same hash and no differences."""
    turned = dict(reversed(config.items()))
    assert config_hash(turned) == config_hash(config)
    assert differences(config, turned) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: x + 1, lambda x: x + 2),
        (lambda x: np.sin(x), lambda x: np.cos(x)),
        (lambda x=1: x, lambda x=2: x),
        (lambda *, x=1: x, lambda *, x=2: x),
        (linear(0.1), linear(0.2)),
        (lambda x: [y + 1 for y in x], lambda x: [y + 2 for y in x]),
        (lambda x: lambda: x + 1, lambda x: lambda: x + 2),
        (functools.partial(linear, 0.1), functools.partial(linear, 0.2)),
        (np.arange(3_000), np.r_[np.arange(1_500), 0, np.arange(1_501, 3_000)]),
        (Rate(0.1), Rate(0.2)),
        (Schedule(1), Schedule(2)),
        (Schedule(1).rate, Schedule(2).rate),
        (closing_over(Schedule(1).rate), closing_over(Schedule(2).rate)),
        (functools.partial(Schedule(1).rate, 1), functools.partial(Schedule(2).rate, 1)),
        ([{"deep": Schedule(1)}], [{"deep": Schedule(2)}]),
        (Slotted(1), Slotted(2)),
        (Schedule(1), doubled()(1)),
        (float("inf"), float("-inf")),
        (Rate, Path),
        (1, "1"),
        (None, 0),
    ],
)
def test_settings_that_mean_something_else_have_another_hash(one, other):
    """An edited constant, name, default, closure, inner function, array or field is another configuration."""
    assert config_hash({"setting": one}) != config_hash({"setting": other})
    assert list(differences({"setting": one}, {"setting": other}))


def test_the_same_function_written_twice_is_the_same_setting():
    """Where it stands in the file and what its line is do not matter."""
    one = lambda x: x + 1  # noqa: E731
    other = lambda x: x + 1  # noqa: E731
    assert describe(one) == describe(other)


def test_objects_of_the_same_state_are_the_same_setting():
    """Where they lie in memory does not matter, nor that a checkpoint's record of them went through JSON."""
    assert describe(Schedule(1)) == describe(Schedule(1))
    config = {"schedule": Schedule(1).rate, "slots": Slotted(math.nan)}
    there = json.loads(json.dumps(describe(config)))
    assert differences(there, {"schedule": Schedule(1).rate, "slots": Slotted(math.nan)}) == {}


def test_an_object_that_holds_itself_can_be_described():
    """Directly, through a list, or through a bound method of its own: the description ends."""
    holder = Schedule(1)
    vars(holder).update(me=holder, those=[holder], bound=holder.rate)
    assert describe(holder)["state"]["start"] == 1
    assert describe(holder.rate)["of"] == describe(holder)


def test_a_function_that_calls_itself_can_be_described():
    """A closure over itself ends, and so does one over a name that is bound later."""

    def countdown(n: int) -> int:
        return n and countdown(n - 1) + later

    assert describe(countdown) == describe(countdown)
    later = 1
    assert countdown(0) + later == 1


def test_differences_are_dotted_and_name_what_is_not_set():
    """Each setting that differs comes with both values, nested ones by their path."""
    there = {"a": 1, "net": {"width": 8, "depth": 2}, "gone": True}
    wanted = {"a": 1, "net": {"width": 16, "depth": 2}, "new": "x"}
    assert differences(there, wanted) == {
        "gone": (True, MISSING),
        "net.width": (8, 16),
        "new": (MISSING, "x"),
    }


def test_another_configuration_is_refused_by_name():
    """The error lists each differing setting with both values, and the ways out; equal ones pass."""
    refuse_other_config(Path("run"), {"seed": 1}, {"seed": 1})
    with pytest.raises(ConfigMismatchError, match="seed: 1 there, 2 asked for") as caught:
        refuse_other_config(Path("run"), {"seed": 1, "lr": 0.1}, {"seed": 2, "lr": 0.2})
    assert caught.value.differences == {"seed": (1, 2), "lr": (0.1, 0.2)}
    assert caught.value.exit_code == 2
    assert "--fresh" in str(caught.value)
