"""Drift of a phase in a quick test: told from scatter, and thinned without losing the ends."""

import random

import pytest

from kit.timing.drift import KEPT, WINDOWS, Trace, drift


def windows(*means: float) -> list[dict[str, tuple[float, float]]]:
    """Stretches with ten units each."""
    return [{"update": (10.0, 10.0 * mean)} for mean in means]


def test_a_slowdown_is_the_ratio_of_the_halves():
    """From 1 ms to 2 ms, with little scatter: twice as long; the other way half."""
    means = [1.0, 1.1, 0.9, 1.0, 1.0, 2.0, 2.2, 1.8, 2.0, 2.0]
    assert drift(windows(*means), "update") == pytest.approx(2.0)
    assert drift(windows(*means[::-1]), "update") == pytest.approx(0.5)


def test_scatter_is_no_drift():
    """Windows that differ by chance show one in no more than one of fifty of 1,000 quick tests (2 in 252 expected)."""
    rng = random.Random(3)
    shown = [drift(windows(*(rng.lognormvariate(0, 0.3) for _ in range(8))), "update") for _ in range(500)]
    assert sum(one is not None for one in shown) <= 20


def test_little_is_none():
    """Five percent are not worth a word, nine windows show nothing, nor does a phase that was not in them."""
    assert drift(windows(*[1.0] * 5, *[1.05] * 5), "update") is None
    assert drift(windows(*[1.0] * 4, *[2.0] * 5), "update") is None
    assert drift(windows(*[1.0] * 5, *[2.0] * 5), "rollout") is None


def test_a_trace_keeps_its_windows_however_long_it_is():
    """After 1,000 readings there are some twelve windows of equal length that add up to nearly all of it."""
    trace = Trace()
    for second in range(1_000):
        trace.note([{"name": "update", "count": 10.0 * second, "total_s": float(second)}])
    found = [window["update"] for window in trace.windows()]
    assert WINDOWS <= len(found) <= 2 * WINDOWS
    assert sum(seconds for _, seconds in found) > 999 * (1 - 1.5 / WINDOWS)
    assert all(count == 10 * seconds for count, seconds in found)
    assert len({seconds for _, seconds in found}) == 1
    assert len(trace._seen) <= KEPT
