"""The forecast under way, against numbers worked out by hand."""

import pytest

from kit.timing.measured import Measurement
from kit.timing.plan import RunPlanner
from kit.timing.reforecast import Reforecast
from tests.timing.test_forecast import TIMING


def row(name: str, count: float, total_s: float) -> dict[str, float | str]:
    """A row as PhaseTimer gives it."""
    return {"name": name, "count": count, "total_s": total_s}


def planner() -> RunPlanner:
    """A run that rolls out and updates at every step, evaluates two episodes every hundred, and tests five at last."""
    made = RunPlanner()
    made.units("rollout", per_step=1.0)
    made.rate("update", of="rollout")
    made.repeats("evaluate", 2, every=100)
    made.units("test", fixed=5)
    return made


def test_without_anything_measured_there_is_no_forecast():
    """Nor with a plan alone: a number made from nothing would be shown as if it were one."""
    assert Reforecast().remaining_s(planner().plan, 0, 1_000) is None


def test_what_is_to_come_is_counted_at_the_pace_of_this_session():
    """600 steps at 2 + 4 ms, six of the ten evaluations of two episodes at 1 s, and four of five tests at 3 s."""
    forecast = Reforecast()
    rows = [row("rollout", 400, 0.8), row("update", 400, 1.6), row("evaluate", 8, 8.0), row("test", 1, 3.0)]
    forecast.update(rows)
    assert forecast.remaining_s(planner().plan, 400, 1_000) == pytest.approx(600 * 0.006 + 12 * 1.0 + 4 * 3.0)


@pytest.mark.parametrize("missing", ["rollout", "update", "evaluate", "test"])
def test_while_anything_to_come_is_unmeasured_there_is_no_forecast(missing):
    """A run that only collects so far would seem to end with its collecting: the pace has to do until then."""
    rows = [row("rollout", 400, 0.8), row("update", 400, 1.6), row("evaluate", 8, 8.0), row("test", 1, 3.0)]
    forecast = Reforecast()
    forecast.update([one for one in rows if one["name"] != missing])
    assert forecast.remaining_s(planner().plan, 400, 1_000) is None


def test_what_keeps_the_run_safe_goes_on_in_the_same_share():
    """A checkpoint of 0.1 s in 2 s of training makes the rest a twentieth longer; restoring came only once."""
    forecast = Reforecast()
    forecast.update(
        [row("setup", 1, 9.0), row("rollout", 0, 0.001), row("checkpoint", 0, 5.0)]
    )  # which restored
    forecast.update([row("setup", 1, 9.0), row("rollout", 100, 2.001), row("checkpoint", 1, 5.1)])
    plan = RunPlanner()
    plan.units("rollout", per_step=1.0)
    assert forecast.remaining_s(plan.plan, 100, 200) == pytest.approx(2.001 * 1.05)


def test_what_an_earlier_session_did_is_not_to_come_again():
    """Four of the five tests were done before: one is left."""
    forecast = Reforecast()
    plan = RunPlanner()
    plan.units("test", fixed=5)
    forecast.update([row("test", 1, 3.0)], earlier=[row("test", 3, 1.0)])
    assert forecast.remaining_s(plan.plan, 1_000, 1_000) == pytest.approx(3.0)


def test_the_quick_test_counts_less_and_less_and_from_the_half_on_no_more():
    """200 rollouts at 20 ms were measured; this run's take 50 ms: 30 with those 200 while it has but 100 itself.

    At a tenth of the steps its own mean has a weight of 0.2, at three tenths of 0.6, at six tenths it stands alone.
    """
    forecast = Reforecast(Measurement.from_json(TIMING))
    plan = RunPlanner()
    plan.units("rollout", per_step=1.0)
    plan.rate("update", of="rollout")
    end_s = 0.5 + 5.0  # the last checkpoint, and finalising
    forecast.update([row("rollout", 100, 5.0), row("update", 200, 4.0), row("evaluate", 1, 1.5)])
    found = forecast.remaining_s(plan.plan, 100, 1_000)
    rollout_s, update_s, evaluations_s = 0.2 * 0.03 + 0.8 * 0.02, 12.0 / 600, (0.01 * 900 + 1.0) * 1.5
    assert found == pytest.approx(900 * (rollout_s + 2 * update_s) + evaluations_s + end_s)
    for done, rollout_s in ((300, 0.6 * 0.05 + 0.4 * 0.02), (600, 0.05)):
        took = [("rollout", done, 0.05), ("update", 2 * done, 0.02), ("evaluate", done / 100 + 1, 1.5)]
        forecast.update([row(name, count, count * mean_s) for name, count, mean_s in took])
        left = 1_000 - done
        found = forecast.remaining_s(plan.plan, done, 1_000)
        assert found == pytest.approx(left * (rollout_s + 2 * 0.02) + 0.01 * left * 1.5 + end_s)


def test_evaluations_that_a_kill_took_back_come_again():
    """They are counted by the step that the run resumed from, whatever an earlier session had got to."""
    forecast = Reforecast()
    forecast.update([row("evaluate", 2, 2.0)], earlier=[row("evaluate", 18, 18.0)])
    plan = RunPlanner()
    plan.repeats("evaluate", 2, every=100)
    assert forecast.remaining_s(plan.plan, 400, 1_000) == pytest.approx(12.0)


def test_what_nobody_planned_comes_as_often_as_in_the_quick_test():
    """A plot of 2 s at the end was in the quick test, so it is in the forecast until it is done."""
    timing = TIMING | {"phases": [*TIMING["phases"], row("plot", 1, 2.0)]}
    forecast, without = (Reforecast(Measurement.from_json(one)) for one in (timing, TIMING))
    plan = RunPlanner().plan
    assert forecast.remaining_s(plan, 300, 1_000) == pytest.approx(
        without.remaining_s(plan, 300, 1_000) + 2.0
    )
    forecast.update([row("plot", 1, 2.0)])
    without.update([])
    assert forecast.remaining_s(plan, 300, 1_000) == pytest.approx(without.remaining_s(plan, 300, 1_000))
