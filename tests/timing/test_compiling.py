"""Compilation has an account of its own where a cache on disk keeps it, with numba's real compiler."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.harness.cadence import Cadence
from kit.timing.compiling import Compiling
from kit.timing.forecast import phase_forecast
from kit.timing.phases import COMPILE, PhaseTimer
from tests.timing.test_forecast import MEASURED

SOURCE = """
from numba import njit

@njit(cache={cache})
def inner(x):
    return 2 * x

@njit(cache={cache})
def outer(x):
    return inner(x) + 1
"""


@pytest.fixture
def timer():
    """A timer in ``warm_up`` whose compilations are listened to."""
    import numba  # noqa: F401 - it is listened to once it is imported

    timer = PhaseTimer(initial="warm_up")
    compiling = Compiling(timer)
    compiling.listen()
    yield timer
    compiling.stop()


def loaded(folder: Path, *, cache: bool) -> Any:
    """The module as another process would find it: its functions are new, its cache is what lies on disk."""
    path = folder / "kernels.py"
    if not path.exists():
        path.write_text(SOURCE.format(cache=cache))
    spec = importlib.util.spec_from_file_location("kernels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_a_cache_keeps_is_taken_out_of_the_phase_that_waits_for_it(timer, tmp_path):
    """One stretch of ``compile`` for a function and what it calls; who finds them on disk compiles nothing."""
    assert loaded(tmp_path, cache=True).outer(1.5) == 4.0
    assert timer.current == "warm_up"
    compiled = timer.phases[COMPILE]
    assert (compiled.count, compiled.visits) == (1, 1)
    assert compiled.total_s > 0.01
    took_s = compiled.total_s
    assert loaded(tmp_path, cache=True).outer(1.5) == 4.0
    assert (timer.phases[COMPILE].visits, timer.phases[COMPILE].total_s) == (1, took_s)


def test_what_no_cache_keeps_stays_where_it_is(timer, tmp_path):
    """Every process compiles it anew, a run as well as its quick test."""
    assert loaded(tmp_path, cache=False).outer(1.5) == 4.0
    assert COMPILE not in timer.phases


def test_after_the_end_nothing_is_listened_to(tmp_path):
    """A session that is closed does not time the next one's compilations, and ending it twice is harmless."""
    timer = PhaseTimer()
    compiling = Compiling(timer)
    compiling.listen()
    compiling.stop()
    compiling.stop()
    assert loaded(tmp_path, cache=True).outer(1) == 3
    assert COMPILE not in timer.phases


def test_a_forecast_leaves_it_out():
    """The run finds it compiled: neither its rows nor its total know of it."""
    row = {"count": 3.0, "total_s": 30.0, "cpu_s": 30.0}
    measured = replace(MEASURED, phases={**MEASURED.phases, COMPILE: row})
    assert measured.compiled_s == 30.0
    assert phase_forecast(measured, 1_000, Cadence()) == phase_forecast(MEASURED, 1_000, Cadence())
    assert MEASURED.compiled_s == 0.0
