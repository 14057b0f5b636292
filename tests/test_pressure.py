"""Time pressure: what a reduced total keeps free, and that it is said."""

import logging

from kit.harness.clock import ManualClock
from kit.harness.deadline import Deadline, Limits
from kit.harness.scaling import TimestepScaler
from kit.pressure import Pressure


def test_pressure_is_told_and_reserves_what_follows_training(caplog):
    """The tests after training, as forecast, and two gaps are kept free; the change is a warning."""
    clock = ManualClock()
    scaler = TimestepScaler(10_000, 100.0, on_pressure="reduce")
    pressure = Pressure(scaler, Deadline(Limits(100.0, 110.0), clock.monotonic(), clock))
    rows = [{"name": name, "total_s": 10.0} for name in ("setup", "rollout", "test", "finalise")]
    pressure.expect_after_training({"phases": rows})
    assert not pressure.observe(0, 5.0)
    clock.advance(10.0)
    with caplog.at_level(logging.WARNING):
        assert pressure.observe(100, 5.0)
    assert scaler.total_timesteps == 100 + (100 - 10 - 20 - 10) * 10
    assert "the total is reduced from 10,000 to 700 steps" in caplog.text
    clock.advance(1.0)
    with caplog.at_level(logging.INFO):
        assert pressure.observe(300, 5.0)
    assert "the total is raised from 700 to" in caplog.text
