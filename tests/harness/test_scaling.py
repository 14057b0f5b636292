import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UnknownNameError, UsageError
from kit.harness.scaling import TIERS, LinearCost, TimestepScaler

KAGGLE = LinearCost(overhead_s=95, step_s=0.5)
"""The Kaggle timing analysis: 0.5 s a step and 95 s once."""


def observe_pace(scaler: TimestepScaler, step_s: float, steps: range) -> list[object]:
    """Let the run go at an even pace; return the changes of its total."""
    changes = [scaler.observe(step, step * step_s) for step in steps]
    return [change for change in changes if change is not None]


def test_the_arithmetic_of_the_kaggle_timing_analysis():
    """24,000 steps take 12,095 s, 3.57 times less than 12 h; 12,000 take 6,095 s, 7.09 times less."""
    assert KAGGLE.predicted_s(24_000) == 12_095
    assert KAGGLE.safety_factor(24_000, 12 * 3600) == pytest.approx(3.57, abs=0.005)
    assert KAGGLE.predicted_s(12_000) == 6_095
    assert KAGGLE.safety_factor(12_000, 12 * 3600) == pytest.approx(7.09, abs=0.005)
    assert KAGGLE.predicted_s(24_000) == 3 * 3600 + 21 * 60 + 35


@pytest.mark.parametrize(
    ("step_s", "tier"),
    [(0.5, 24_000), (1.57, 24_000), (1.58, 15_000), (2.0, 15_000), (3.0, 10_000), (9, 10_000)],
)
def test_the_slower_the_machine_the_fewer_steps(step_s, tier):
    """Of 24,000, 15,000 and 10,000 steps the most that end by 10.5 h; the fewest where none do."""
    assert LinearCost(95, step_s).tier(10.5 * 3600) == tier


@given(st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 1e5))
def test_a_slower_machine_never_gets_more_steps(one, other, overhead_s):
    """The tier falls with the seconds a step takes, whatever the overhead."""
    fast, slow = sorted((one, other))
    assert LinearCost(overhead_s, fast).tier(37_800) >= LinearCost(overhead_s, slow).tier(37_800)


@given(st.floats(0, 1e4), st.floats(1e-6, 1e3), st.floats(0, 1e5))
def test_the_largest_that_fits_fits_and_one_more_does_not(overhead_s, step_s, limit_s):
    """The limit lies between the time of that many steps and of one more, to the rounding of a float."""
    cost = LinearCost(overhead_s, step_s)
    steps = cost.largest_that_fits(limit_s)
    slack = 1e-6 * (1 + limit_s + overhead_s + step_s)
    assert steps == 0 or cost.predicted_s(steps) <= limit_s + slack
    assert cost.predicted_s(steps + 1) > limit_s - slack


@pytest.mark.parametrize(("overhead_s", "step_s"), [(-1, 0.5), (95, -0.1), (float("nan"), 1)])
def test_a_cost_below_zero_is_refused(overhead_s, step_s):
    """A negative or missing time is a UsageError that names it."""
    with pytest.raises(UsageError, match="must be zero or more seconds"):
        LinearCost(overhead_s, step_s)


def test_free_steps_always_fit_unless_the_overhead_does_not():
    """With nothing to pay a step, only the overhead decides."""
    assert LinearCost(10, 0).largest_that_fits(11) > 10**12
    assert LinearCost(10, 0).largest_that_fits(9) == 0


def test_report_sees_the_pressure_and_changes_nothing():
    """By default the total stays, however late the run would end."""
    scaler = TimestepScaler(10_000, 100.0)
    assert observe_pace(scaler, 0.05, range(0, 1_000, 100)) == []
    assert scaler.under_pressure(900, 45.0)
    assert scaler.predicted_end_s(900, 45.0) == pytest.approx(500.0)
    assert (scaler.total_timesteps, scaler.scalings) == (10_000, [])


def test_reduce_shrinks_to_what_fits_and_says_so():
    """The change holds step, times, limit and both totals; the new total ends by the limit."""
    scaler = TimestepScaler(10_000, 100.0, on_pressure="reduce")
    (change,) = observe_pace(scaler, 0.05, range(0, 200, 100))
    assert (change.step, change.before, change.after, change.limit_s) == (100, 10_000, 2_000, 100.0)
    assert change.predicted_s == pytest.approx(500.0)
    assert (scaler.total_timesteps, scaler.requested_timesteps) == (2_000, 10_000)
    assert scaler.scalings == [change]
    assert scaler.predicted_end_s(100, 5.0) <= 100.0


def test_reduce_leaves_a_run_alone_that_fits():
    """No pressure, no change."""
    scaler = TimestepScaler(1_000, 100.0, on_pressure="reduce")
    assert observe_pace(scaler, 0.05, range(0, 1_000, 50)) == []
    assert scaler.total_timesteps == 1_000


def test_tiers_choose_the_largest_tier_that_fits():
    """At 2 s a step 24,000 become 15,000; at 3 s 10,000."""
    for step_s, total in ((2.0, 15_000), (3.0, 10_000)):
        scaler = TimestepScaler(24_000, 37_800.0, on_pressure="tiers")
        (change,) = observe_pace(scaler, step_s, range(0, 3_000, 1_500))
        assert (change.after, scaler.total_timesteps) == (total, total)
    assert TIERS == (24_000, 15_000, 10_000)


@pytest.mark.parametrize("n_envs", [1, 4, 16])
def test_environment_steps_are_counted_whatever_their_number_in_parallel(n_envs):
    """The pace is a second per environment step, not per call; the new total is a multiple of the calls'."""
    scaler = TimestepScaler(100_000, 101.0, on_pressure="reduce", n_envs=n_envs)
    (change,) = observe_pace(scaler, 0.01, range(0, 1_600, 800))
    assert scaler.step_s == pytest.approx(0.01)
    assert change.after % n_envs == 0
    assert 10_100 - n_envs < change.after <= 10_100


def test_what_comes_after_the_last_step_is_reserved():
    """Of 100 s with 40 s to be kept for the tests at the end, 60 s are left for training."""
    scaler = TimestepScaler(10_000, 100.0, on_pressure="reduce", reserve_s=40.0)
    (change,) = observe_pace(scaler, 0.05, range(0, 200, 100))
    assert change.after == 1_200


def test_the_pace_includes_what_happens_between_boundaries():
    """An evaluation of 10 s after each 100 steps is part of the time that is planned."""
    scaler = TimestepScaler(1_000, 1e9)
    for block in range(3):
        scaler.observe(100 * block, 15.0 * block)
    assert scaler.predicted_end_s(200, 30.0) == pytest.approx(150.0)


def test_a_total_never_falls_below_the_steps_done():
    """Past the deadline nothing more fits: the total becomes the present step."""
    scaler = TimestepScaler(1_000, 10.0, on_pressure="reduce")
    scaler.observe(0, 0.0)
    assert scaler.observe(500, 50.0).after == 500


def test_the_pace_is_unknown_before_two_boundaries():
    """One observation, or the same step twice, supports no prediction."""
    scaler = TimestepScaler(1_000, 10.0, on_pressure="reduce")
    scaler.observe(7, 5.0)
    assert scaler.observe(7, 9.0) is None
    assert scaler.predicted_end_s(7, 9.0) is None


def test_bad_arguments_are_named():
    """An unknown way to react names the nearest one; a total below one is refused."""
    with pytest.raises(UnknownNameError) as caught:
        TimestepScaler(10, 1.0, on_pressure="reduced")
    assert caught.value.nearest == "reduce"
    with pytest.raises(UsageError, match="at least 1"):
        TimestepScaler(0, 1.0)


def run_of(scaler: TimestepScaler, slow_from: int = 10**9) -> float:
    """Run 10 ms a step with 10 s of evaluation every 10,000, twice as slow from a step on; return the seconds."""
    now, looked, step = 0.0, -1.0, 0
    while step < scaler.total_timesteps:
        if now - looked >= 0.25:
            looked = now
            scaler.observe(step, now)
        step += 1
        now += 0.01 * (1 + (step >= slow_from)) + 10.0 * (step % 10_000 == 0)
    return now


@pytest.mark.parametrize("share", [1.05, 1.2, 1.3])
def test_an_evaluation_does_not_count_as_the_pace_of_what_follows(share):
    """100,000 steps take 1,100 s with ten evaluations of 10 s: a limit just above that costs none of them."""
    scaler = TimestepScaler(100_000, 1_100.0 * share, on_pressure="reduce", reserve_s=20.0)
    assert run_of(scaler) == pytest.approx(1_100.0)
    assert (scaler.total_timesteps, scaler.scalings) == (100_000, [])


@pytest.mark.parametrize("share", [0.8, 0.9, 0.99])
def test_a_reduced_run_uses_its_time_and_ends_by_the_limit(share):
    """Evaluations come in bursts, and still at least 95 % of the time is used, in a few changes on record."""
    limit_s = 1_100.0 * share
    scaler = TimestepScaler(100_000, limit_s, on_pressure="reduce", reserve_s=20.0)
    assert 0.95 * limit_s <= run_of(scaler) <= limit_s - 20.0 + 0.25
    assert 1 <= len(scaler.scalings) <= 8


def test_a_machine_that_becomes_slower_is_followed_to_the_end():
    """Twice the time a step from the middle on: the total falls as often as it takes, and ends by the limit."""
    scaler = TimestepScaler(100_000, 1_100.0, on_pressure="reduce", reserve_s=20.0)
    assert run_of(scaler, slow_from=50_000) <= 1_100.0
    assert 70_000 < scaler.total_timesteps < 80_000
    assert len(scaler.scalings) < 200


def test_a_few_steps_decide_nothing():
    """A slow beginning is no pace: before a twentieth of the steps or of the time nothing is reduced."""
    scaler = TimestepScaler(10_000, 1_000.0, on_pressure="reduce")
    assert observe_pace(scaler, 0.5, range(90)) == []
    assert scaler.under_pressure(89, 44.5)
    assert observe_pace(scaler, 0.5, range(90, 150)) != []


def test_a_reduced_total_grows_back_when_the_pace_recovers():
    """One slow stretch reduces it; fast steps give it back, up to the request, each change on record."""
    scaler = TimestepScaler(10_000, 1_000.0, on_pressure="reduce")
    scaler.observe(0, 0.0)
    assert scaler.observe(500, 100.0).after == 5_000
    grown = [change for step in range(600, 2_000, 100) if (change := scaler.observe(step, 70 + 0.06 * step))]
    assert all(change.after > change.before for change in grown)
    assert grown[-1].after == scaler.total_timesteps == scaler.requested_timesteps
    assert scaler.scalings[1:] == grown


def test_a_total_does_not_grow_when_its_end_is_near():
    """Within the last steps of the reduced total what was announced holds."""
    scaler = TimestepScaler(10_000, 1_000.0, on_pressure="reduce")
    scaler.observe(0, 0.0)
    scaler.observe(500, 100.0)
    assert scaler.observe(4_900, 150.0) is None
    assert scaler.total_timesteps == 5_000
