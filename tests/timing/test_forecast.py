"""The forecast's arithmetic against numbers worked out by hand, and what it is asked without a quick test."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from kit.errors import UsageError
from kit.harness.cadence import Cadence
from kit.harness.deadline import Limits
from kit.harness.run_folder import RunFolder
from kit.harness.summary import write_json
from kit.timing.forecast import bounds, forecast, phase_forecast, predicted_cpu_s, predicted_s
from kit.timing.interval import Intervals
from kit.timing.measured import Measurement
from kit.timing.options import largest_that_fits
from kit.timing.pair import Pair
from kit.timing.plan import PhasePlan, Repeats, RunPlan, RunPlanner
from kit.timing.prediction import forecast_of, measured_beside, quick_folder
from kit.timing.quota import gpu_quota


def intervals(factor: float, pairs: int = 9) -> Intervals:
    """Those of a machine whose runs all took that many times the predicted time."""
    return Intervals("here", [Pair("n", "here", 100.0, 100.0 * factor, "2026-01-01")] * pairs, [])


EXACT = intervals(1.0)
TIMING: dict[str, Any] = {
    "phases": [
        {"name": "setup", "count": 1, "total_s": 40.0},
        {"name": "warm_up", "count": 1, "total_s": 10.0},
        {"name": "collect", "count": 100, "total_s": 1.0},
        {"name": "rollout", "count": 200, "total_s": 4.0},
        {"name": "update", "count": 400, "total_s": 8.0},
        {"name": "evaluate", "count": 2, "total_s": 3.0},
        {"name": "checkpoint", "count": 1, "total_s": 0.5},
        {"name": "finalise", "count": 1, "total_s": 5.0},
    ],
    "measured": {
        "timesteps": 300,
        "plan": {
            "phases": {
                "collect": {"per_step": 1.0, "until_step": 100},
                "rollout": {"per_step": 1.0, "from_step": 100},
                "evaluate": {"per_step": 0.01, "fixed": 1.0},
            },
            "rates": {"update": "rollout"},
            "checkpoint_bytes_per_step": 100.0,
            "checkpoint_up_to_steps": 500,
        },
        "log_lines": 30,
        "log_bytes": 3_000,
        "checkpoint_cost_s": 0.0,
        "disk_fixed_bytes": 1_000.0,
        "disk_per_step_bytes": 2.0,
        "checkpoint_base_bytes": 10_000.0,
    },
}
MEASURED = Measurement.from_json(TIMING)
ONCE_S = 40.0 + 10.0 + 5.0


def test_each_phase_is_counted_for_the_full_run():
    """1,000 steps: 100 collected, 900 rolled out, 1,800 updates, 11 evaluations; once is once."""
    rows = {row["name"]: (row["count"], row["total_s"]) for row in phase_forecast(MEASURED, 1_000)}
    busy_s = ONCE_S + 1.0 + 900 * 0.02 + 1_800 * 0.02 + 11 * 1.5
    assert rows == {
        "setup": (1.0, 40.0),
        "warm_up": (1.0, 10.0),
        "finalise": (1.0, 5.0),
        "collect": (100.0, pytest.approx(1.0)),
        "rollout": (900.0, pytest.approx(18.0)),
        "update": (pytest.approx(1_800.0), pytest.approx(36.0)),
        "evaluate": (11.0, pytest.approx(16.5)),
        "checkpoint": (pytest.approx(busy_s / 10.0 + 1), pytest.approx((busy_s / 10.0 + 1) * 0.5)),
    }
    assert predicted_s(MEASURED, 1_000) == pytest.approx(busy_s + (busy_s / 10 + 1) * 0.5)


def test_checkpoints_follow_the_cadence_that_their_cost_gives():
    """Every 10 min where that is the shortest interval, a run of two minutes has one and a bit."""
    rows = phase_forecast(MEASURED, 1_000, Cadence(checkpoint_min_s=600))
    count = next(row["count"] for row in rows if row["name"] == "checkpoint")
    assert count == pytest.approx(126.5 / 600 + 1)


def test_a_run_that_fits_says_so_with_its_reserves():
    """The verdict asks the upper bound against the soft limit; the safety factor is the limit over the prediction."""
    found = forecast(MEASURED, 1_000, Limits.resolve(session="1h"), intervals(2.0))
    predicted = predicted_s(MEASURED, 1_000)
    assert (found["verdict"], found["limit_s"]) == ("fit", 3_600)
    assert (found["low_s"], found["high_s"]) == pytest.approx((predicted / 2, predicted * 2))
    assert found["safety_factor"] == pytest.approx(3_600 / predicted)
    assert (found["log_lines"], found["log_bytes"]) == (100, 10_000)
    assert found["disk_bytes"] == 2 * (1_000 + 2_000 + 2 * (10_000 + 100 * 500))


@pytest.mark.parametrize(("share", "verdict"), [(1.01, "fit"), (0.9, "reduce"), (0.5, "split")])
def test_the_verdict_is_fit_reduce_or_split(share, verdict):
    """Three quarters of the steps in one session: reduce; fewer: split over as many sessions as it takes."""
    soft_s = share * predicted_s(MEASURED, 10_000)
    found = forecast(MEASURED, 10_000, Limits(soft_s, soft_s * 1.1), EXACT)
    assert found["verdict"] == verdict
    full, reduced, split = found["options"]
    assert (full["timesteps"], full["sessions"]) == (10_000, 1)
    assert reduced["timesteps"] == (
        5_000 if verdict == "fit" else largest_that_fits(lambda n: predicted_s(MEASURED, n), soft_s)
    )
    assert reduced["predicted_s"] <= soft_s
    assert split["sessions"] >= 2
    each_s = ONCE_S + 0.5  # and a checkpoint at the end of each
    assert split["predicted_s"] == pytest.approx(full["predicted_s"] + (split["sessions"] - 1) * each_s)
    assert split["session_s"] == split["predicted_s"] / split["sessions"] <= soft_s


def test_a_width_of_the_interval_makes_a_verdict_careful():
    """What fits by the middle of its interval does not fit by its upper end."""
    soft_s = 1.5 * predicted_s(MEASURED, 10_000)
    limits = Limits(soft_s, soft_s * 1.1)
    assert forecast(MEASURED, 10_000, limits, EXACT)["verdict"] == "fit"
    wide = forecast(MEASURED, 10_000, limits, intervals(2.0))
    assert wide["verdict"] == "split"
    assert wide["options"][1]["predicted_s"] * 2 <= soft_s


def test_a_session_shorter_than_its_setup_never_ends():
    """Where not even one step fits, splitting does not help, and the forecast says never instead of dividing."""
    found = forecast(MEASURED, 1_000, Limits(30.0, 40.0), EXACT)
    assert found["verdict"] == "split"
    assert (found["options"][2]["sessions"], found["options"][2]["predicted_s"]) == (0, None)
    assert "Infinity" not in json.dumps(found, allow_nan=False)


def test_what_happens_once_a_run_is_charged_once_however_many_sessions():
    """Baselines and tests of 60 s come in one session of four, not in each; set-up and the end come in all."""
    tests = {"name": "test", "count": 2, "total_s": 60.0}
    timing = TIMING | {"phases": [*TIMING["phases"], tests]}
    found = forecast(Measurement.from_json(timing), 10_000, Limits(300.0, 310.0), EXACT)
    full, _, split = found["options"]
    assert split["sessions"] == 4
    assert split["predicted_s"] == pytest.approx(full["predicted_s"] + 3 * (ONCE_S + 0.5))


def test_tests_that_fill_more_than_a_session_cannot_be_split():
    """What follows training is done in one session: where it does not fit, no number of sessions helps."""
    timing = TIMING | {"phases": [*TIMING["phases"], {"name": "test", "count": 2, "total_s": 300.0}]}
    found = forecast(Measurement.from_json(timing), 10_000, Limits(300.0, 310.0), EXACT)
    assert found["options"][2]["predicted_s"] is None


def test_the_limit_is_that_of_the_session_given_or_not():
    """Twelve hours where nobody says another: the same factor from quick-test and from extrapolate."""
    unsaid, said = (
        forecast(MEASURED, 1_000, limits, EXACT)
        for limits in (Limits.resolve(), Limits.resolve(session="12h"))
    )
    assert unsaid["limit_s"] == said["limit_s"] == 12 * 3600
    assert unsaid["safety_factor"] == said["safety_factor"]


@pytest.mark.parametrize(
    ("total", "stride", "times"),
    [
        (24_000, 16, 12),
        (2_000_000, 4, 12),
        (12_000, 16, 6),
        (12_001, 1, 7),
        (1_100, 16, 1),
        (100_000, 50_000, 2),
    ],
)
def test_evaluations_are_counted_as_the_run_has_them(total, stride, times):
    """Every 2,000 steps, at most twelve in a run, at a boundary, and one at the end that is not a second one there."""
    assert Repeats(4, 2_000, 12, stride).count(total) == times
    plan = RunPlan({"evaluate": PhasePlan(repeats=Repeats(4, 2_000, 12, stride))})
    assert plan.count("evaluate", total, {}) == 4 * times
    assert plan.repetitions(total) == times


def test_lines_of_the_log_come_with_steps_with_evaluations_or_once():
    """Two lines of which one told of the only evaluation become 13 with twelve; tagged ones grow with the steps."""
    plan = TIMING["measured"]["plan"] | {
        "phases": {"evaluate": {"repeats": {"units": 4, "every": 2_000, "times": 12}}}
    }
    measured = TIMING["measured"] | {
        "timesteps": 1_100,
        "plan": plan,
        "log_lines": 11,
        "log_bytes": 110,
        "log_fixed_lines": 2,
        "log_fixed_bytes": 200,
    }
    found = forecast(Measurement.from_json(TIMING | {"measured": measured}), 24_000, Limits.resolve(), EXACT)
    assert found["log_lines"] == 13 + 240
    assert found["log_bytes"] == 1_300 + 2_400


def test_the_largest_that_fits_fits_and_one_more_does_not():
    """Found by bisection: nothing, everything that was asked for, or without an end where steps take no time."""
    takes_s = lambda steps: predicted_s(MEASURED, steps)  # noqa: E731
    limit_s = takes_s(777) + 1e-9
    assert largest_that_fits(takes_s, limit_s) == largest_that_fits(takes_s, limit_s, 10_000) == 777
    assert largest_that_fits(takes_s, limit_s, 700) == 700
    assert largest_that_fits(takes_s, 1.0) == 0
    assert largest_that_fits(lambda _: 1.0, 2.0) is None


def test_the_most_steps_that_fit_are_told_whatever_was_asked_for():
    """With a factor of two it is as many steps as take half the soft limit."""
    found = forecast(MEASURED, 10, Limits(1_000.0, 1_100.0), intervals(2.0))
    assert (
        predicted_s(MEASURED, found["largest_fit"]) <= 500.0 < predicted_s(MEASURED, found["largest_fit"] + 1)
    )


def test_cpu_seconds_are_forecast_like_wall_time():
    """A phase that computes half of its time is forecast to compute for half of it; one without a reading for none."""
    phases = [row | {"cpu_s": row["total_s"] / 2} for row in TIMING["phases"] if row["name"] != "setup"]
    halved = Measurement.from_json(TIMING | {"phases": phases})
    assert predicted_cpu_s(halved, 1_000) == pytest.approx(predicted_s(halved, 1_000) / 2)
    assert predicted_cpu_s(MEASURED, 1_000) == 0.0
    found = forecast(halved, 1_000, Limits.resolve(), EXACT)
    assert found["predicted_cpu_s"] == predicted_cpu_s(halved, 1_000)


@pytest.mark.parametrize("more", [{"plan": None}, {"windows": [1]}, {"log_lines": None}, {"surprise": 1.0}])
def test_a_quick_test_that_cannot_be_read_is_refused(more):
    """What came from elsewhere, or was cut short, is a UsageError that says what is wrong with it."""
    with pytest.raises(UsageError, match="holds no quick test that can be read"):
        Measurement.from_json(TIMING | {"measured": TIMING["measured"] | more})
    with pytest.raises(UsageError, match="holds no quick test that can be read"):
        Measurement.from_json(TIMING | {"phases": [{"name": "rollout", "count": 1}]})


def test_a_phase_that_the_quick_test_never_came_to_is_not_forecast_as_nothing():
    """Ten evaluations in the run and none in the test: the error names them instead of leaving them out."""
    plan = TIMING["measured"]["plan"]
    plan = plan | {"phases": plan["phases"] | {"validate": {"repeats": {"units": 1, "every": 100}}}}
    measured = Measurement.from_json(TIMING | {"measured": TIMING["measured"] | {"plan": plan}})
    with pytest.raises(
        UsageError, match="ended before its first unit of 'validate', of which the run has 10"
    ):
        forecast(measured, 1_000, Limits.resolve(), EXACT)


def windows(phase: str, *means: float) -> list[dict[str, tuple[float, float]]]:
    """Stretches of a quick test in which ten units of one phase took so long each, in seconds."""
    return [{phase: (10.0, 10.0 * mean)} for mean in means]


def test_a_drift_stretches_the_interval_to_the_later_pace():
    """A rollout that slows from 1 to 3 has a later pace of 1.5 times its mean: the upper bound reaches to that."""
    drifting = replace(MEASURED, windows=windows("rollout", *[1.0, 1.01] * 3, *[3.0, 3.03] * 3))
    row = next(row for row in phase_forecast(drifting, 1_000) if row["name"] == "rollout")
    assert row["drift"] == pytest.approx(3.0, rel=1e-6)
    low_s, high_s = bounds(drifting, 1_000, intervals(2.0).run())
    assert low_s == pytest.approx(predicted_s(MEASURED, 1_000) / 2)
    assert high_s == pytest.approx(2 * (predicted_s(MEASURED, 1_000) + 0.5 * row["total_s"]))


def test_a_busy_machine_lowers_the_lower_bound_to_that_of_an_idle_one():
    """Something waited for a core for 60 % of the quick test: without that it takes at least 40 % of its time."""
    predicted, interval = predicted_s(MEASURED, 1_000), intervals(2.0).run()
    busy = bounds(replace(MEASURED, busy_share=0.6), 1_000, interval)
    assert busy == pytest.approx((0.4 * predicted / 2, 2 * predicted))
    quiet = bounds(replace(MEASURED, busy_share=0.1), 1_000, interval)
    assert quiet == bounds(MEASURED, 1_000, interval) == pytest.approx((predicted / 2, 2 * predicted))


def test_a_phase_has_the_interval_of_its_own_history():
    """Rollouts were half as long again in nine runs, and updates are not in any of them."""
    pair = Pair(
        "n", "here", 10.0, 10.0, "2026-01-01", phases={"rollout": (4.0, 6.0), "evaluate": (0.01, 0.04)}
    )
    found = forecast(MEASURED, 1_000, Limits.resolve(), Intervals("here", [pair] * 9, []))
    rows = {row["name"]: row for row in found["phases"]}
    assert rows["rollout"]["high_s"] == pytest.approx(1.5 * rows["rollout"]["total_s"])
    assert rows["rollout"]["low_s"] == pytest.approx(rows["rollout"]["total_s"] / 1.5)
    assert rows["update"]["high_s"] is rows["evaluate"]["high_s"] is None


def test_a_gpu_session_costs_quota_and_one_without_costs_none():
    """Kaggle grants 30 hours a week, used or idle: 45 h at most are one and a half weeks, so two."""
    found = forecast(MEASURED, 1_000, Limits.resolve(), EXACT, "tesla-t4x2")["gpu_quota"]
    assert found["hours"] == pytest.approx(predicted_s(MEASURED, 1_000) / 3_600)
    assert forecast(MEASURED, 1_000, Limits.resolve(), EXACT)["gpu_quota"]["high_hours"] == 0.0
    quota = gpu_quota("tesla-t4", 30 * 3_600.0, 45 * 3_600.0)
    assert (quota["share"], quota["weeks"], quota["weekly_hours"]) == (1.5, 2, 30.0)


def test_a_forecast_of_nothing_is_refused():
    """Less than one step, and a folder whose run measured nothing, are UsageErrors."""
    with pytest.raises(UsageError, match="at least 1, not 0"):
        forecast(MEASURED, 0, Limits.resolve(), EXACT)
    for timing in ({}, {"phases": TIMING["phases"]}, TIMING | {"phases": []}):
        with pytest.raises(UsageError, match="run `quick-test` first"):
            Measurement.from_json(timing)


def test_a_quick_test_without_a_gradient_step_forecasts_nothing(tmp_path):
    """Its collection multiplied is the mistake that cost a night: the error names what is missing."""
    phases = [row | {"count": 0} if row["name"] == "update" else row for row in TIMING["phases"]]
    with pytest.raises(UsageError, match="300 steps contained no gradient step"):
        Measurement.from_json(TIMING | {"phases": phases})


def test_a_quick_test_that_failed_or_was_damaged_forecasts_nothing(tmp_path, caplog):
    """However much it measured until then; the error says how it ended."""
    folder = RunFolder(tmp_path / "run-quick")
    folder.create()
    write_json(folder.run_json, {"config": {"seed": 1}, "requested_timesteps": 1_000})
    write_json(folder.timing, TIMING)
    write_json(folder.summary, {"status": "failed", "reason": "ValueError: boom"})
    with pytest.raises(UsageError, match=r"run-quick is failed \(ValueError: boom\)"):
        forecast_of(folder, None, Limits.resolve())
    assert measured_beside(RunFolder(tmp_path / "run"), {"seed": 1}) is None
    folder.run_json.write_text("{")
    with caplog.at_level(logging.WARNING):
        assert measured_beside(RunFolder(tmp_path / "run"), {"seed": 1}) is None
    assert "is not valid JSON" in caplog.text


def test_a_quick_test_of_another_kind_of_machine_forecasts_nothing_here(tmp_path, caplog):
    """It is still a forecast for that kind, with the quota of its GPU; a run here is told why there is none."""
    folder = RunFolder(tmp_path / "run-quick")
    folder.create()
    kind = {"machine_kind": "linux-x86_64-4cores-gpu:tesla-t4x2"}
    write_json(folder.run_json, {"config": {"seed": 1}, "requested_timesteps": 1_000} | kind)
    write_json(folder.timing, TIMING)
    with caplog.at_level(logging.WARNING):
        assert measured_beside(RunFolder(tmp_path / "run"), {"seed": 1}) is None
    assert "ran on another kind of machine (linux-x86_64-4cores-gpu:tesla-t4x2" in caplog.text
    assert forecast_of(folder, None, Limits.resolve())["gpu_quota"]["gpu"] == "tesla-t4x2"


def test_units_of_a_plan_are_fixed_and_by_step():
    """Units are fixed + per_step within its range; a rate follows another phase as measured; an unplanned one stays."""
    assert PhasePlan(2.0, 0.5, from_step=100, until_step=300).count(1_000) == 102.0
    assert PhasePlan(2.0, 0.5, from_step=100).count(50) == 2.0
    plan = RunPlan({"rollout": PhasePlan(0, 1.0)}, {"update": "rollout"})
    assert plan.count("update", 1_000, {"rollout": 50, "update": 25}) == 500.0
    assert plan.count("update", 1_000, {}) == 0.0
    assert plan.count("other", 1_000, {"other": 3}) == 3


def test_a_plan_comes_back_from_its_file():
    """What a workload said of its run is what a later forecast reads."""
    planner = RunPlanner()
    planner.units("test", fixed=20)
    planner.units("rollout", per_step=1.0, from_step=3, until_step=9)
    planner.repeats("evaluate", 4, every=2_000, times=12, stride=16)
    planner.rate("update", of="rollout")
    planner.checkpoint(bytes_per_step=8.0, up_to_steps=5)
    assert RunPlan.from_json(planner.plan.as_json()) == planner.plan
    assert planner.plan.checkpoint_bytes(10.0, 100) == 50.0


def test_a_run_is_forecast_from_the_quick_test_of_the_same_settings_beside_it(tmp_path):
    """With another setting there, or none finished, there is no forecast; elsewhere it is a UsageError."""
    folder = RunFolder(tmp_path / "run")
    beside = quick_folder(folder)
    assert beside.root.name == "run-quick"
    assert measured_beside(folder, {"seed": 1}) is None
    beside.create()
    write_json(beside.run_json, {"config": {"seed": 1}, "requested_timesteps": 1_000})
    assert measured_beside(folder, {"seed": 1}) is None
    write_json(beside.timing, TIMING)
    assert measured_beside(folder, {"seed": 1}) == MEASURED
    assert measured_beside(folder, {"seed": 2}) is None
    assert forecast_of(beside, None, Limits.resolve())["total_timesteps"] == 1_000
    assert forecast_of(beside, 50, Limits.resolve())["total_timesteps"] == 50
    with pytest.raises(UsageError, match="at least 1, not 0"):
        forecast_of(beside, 0, Limits.resolve())
    with pytest.raises(UsageError, match=r"no run\.json"):
        forecast_of(folder, None, Limits.resolve())
