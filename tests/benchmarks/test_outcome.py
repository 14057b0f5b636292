"""What one workload's facts say, against numbers worked out by hand."""

import pytest

from benchmarks.forecast.outcome import Outcome
from benchmarks.forecast.phase_table import phase_lines
from benchmarks.forecast.windows import foretold_s, windows
from kit.timing.measured import Measurement
from tests.benchmarks.made_up import STEPS, facts, rows, timing


def rollouts(stride: int) -> Measurement:
    """The quick test of an agent that can be evaluated only after so many steps."""
    found = timing()
    planned = found["measured"]["plan"]["phases"]
    repeats = planned["evaluate"]["repeats"] | {"stride": stride}
    plan = {"phases": planned | {"evaluate": {"repeats": repeats}}}
    return Measurement.from_json(found | {"measured": found["measured"] | {"plan": plan}})


def test_errors_are_what_the_run_took_beyond_its_forecast():
    """19 s forecast and 20.9 s taken is an error of a tenth, in CPU seconds too; so are shares of the quick test."""
    one = Outcome.of(facts("one", 1.1))
    assert (one.pair.predicted_s, one.pair.predicted_cpu_s) == (19.0, 9.5)
    assert one.error == pytest.approx(0.1)
    assert one.cpu_error == pytest.approx(0.1)
    assert (one.quick_steps, one.quick_time) == (0.1, 0.3)
    assert not one.changed


def test_simpler_ways_are_as_they_were():
    """A hundred steps: 2 s, 1 s, and 1,000 steps of 1 s ÷ 200; the mean: 4 s once, and 1,000 of 2 s ÷ 100."""
    one = Outcome.of(facts("one"))
    assert one.hundred_s == pytest.approx(8.0)
    assert one.naive_s == pytest.approx(24.0)


def test_a_forecast_that_the_kit_now_makes_otherwise_is_the_one_that_counts():
    """Where the arithmetic has changed since, the pair has the new forecast and says so; what it took stays."""
    then = facts("one", 1.1)
    then["pairs"][0] |= {"predicted_s": 30.0, "phases": {"rollout": [25.0, 11.0]}}
    one = Outcome.of(then)
    assert one.changed
    assert (one.pair.predicted_s, one.pair.actual_s) == (19.0, pytest.approx(20.9))
    assert one.pair.phases == {"rollout": (10.0, 11.0)}


@pytest.mark.parametrize("pairs", [[], facts("one")["pairs"] * 2])
def test_a_run_leaves_one_pair(pairs):
    """None, or two, are not what the benchmark did."""
    with pytest.raises(ValueError, match=f"one must leave one pair in the history, not {len(pairs)}"):
        Outcome.of(facts("one", pairs=pairs))


def test_windows_are_tenths_of_the_steps():
    """From the first row on: 95 steps of 10 ms with two episodes of 0.25 s, then nine times 100 with as many."""
    slices = windows(Measurement.from_json(timing()), STEPS, rows(1.2))
    assert [(one.begin, one.end) for one in slices[:2]] == [(5, 100), (100, 200)]
    assert [one.predicted_s for one in slices] == pytest.approx([1.45] + [1.5] * 9)
    assert [one.actual_s for one in slices] == pytest.approx([1.74] + [1.8] * 9)


@pytest.mark.parametrize("stride", [1, 48, 99, 250])
def test_windows_take_evaluations_where_they_come(stride):
    """A slice has those of the boundaries in it, however far they are from tenths; all slices have the run's."""
    measured = rollouts(stride)
    steps = [stride * number for number in range(1, -(-STEPS // stride) + 1)]
    marks = [0, *steps]
    due = [
        after // max(100, stride) - before // max(100, stride)
        for before, after in zip(marks, steps, strict=False)
    ]
    due[-1] = max(1, due[-1])  # one is always at the end
    time_s, made = 3.0, []
    for number, step in enumerate(steps):
        time_s += 0.01 * stride + 0.5 * min(due[number], 1)
        made.append((step, time_s))
    slices = windows(measured, STEPS, made)
    assert [one.actual_s for one in slices] == pytest.approx([one.predicted_s for one in slices])
    whole_s = foretold_s(measured, STEPS, made[-1][0]) - foretold_s(measured, STEPS, made[0][0])
    assert sum(one.predicted_s for one in slices) == pytest.approx(whole_s)


def test_rows_that_are_few_make_fewer_windows():
    """Two tenths that share their nearest row make one slice; no rows make none."""
    measured = Measurement.from_json(timing())
    assert len(windows(measured, STEPS, [(250, 4.0), (500, 6.0), (1_000, 11.0)])) == 2
    assert windows(measured, STEPS, []) == []


def test_the_phases_that_put_a_forecast_off_are_named():
    """Those worth half a percent of it, the largest first."""
    line = phase_lines([Outcome.of(facts("one", 1.2))])
    assert line == "one                  rollout +10.5% (10.0 → 12.0 s); evaluate +5.3% (5.0 → 6.0 s)\n"


@pytest.mark.parametrize(("slower", "right"), [(1.2, True), (0.9, False)])
def test_drift_is_held_against_the_run(slower, right):
    """Steps that took half as long again in the later half of the quick test, and a run that did so or did not."""
    drifted = facts("one", slower)
    windows_seen = [{"rollout": [10, 0.1 if number < 6 else 0.15]} for number in range(12)]
    drifted["quick"]["timing"]["measured"] = drifted["quick"]["timing"]["measured"] | {
        "windows": windows_seen
    }
    one = Outcome.of(drifted)
    assert one.drifting == {"rollout": pytest.approx(1.5)}
    assert one.drifted("rollout") is right
