from typing import Any

import pytest

from kit.harness.deadline import Limits
from kit.report.terminal import forecast_text, results_text, summary_text, verify_text
from kit.timing.forecast import forecast
from kit.timing.measured import Measurement
from tests.report.made import results
from tests.timing.test_forecast import TIMING, intervals

SUMMARY: dict[str, Any] = {
    "status": "complete",
    "reason": "reached its total",
    "step": 24_000,
    "total_timesteps": 24_000,
    "requested_timesteps": 24_000,
    "sessions": 1,
    "elapsed_s": 12_095.0,
    "resumable": False,
}


def made_forecast(timesteps: int = 1_000, session: str = "12h", pairs: int = 9) -> dict[str, Any]:
    """The forecast of a quick test made up by hand."""
    measured, limits = Measurement.from_json(TIMING), Limits.resolve(session=session)
    return forecast(measured, timesteps, limits, intervals(1.25, pairs))


def test_a_forecast_names_every_phase_option_and_the_verdict():
    """Total with its interval, a row a phase, options A to C, log, disk and verdict, in 100 columns."""
    text = forecast_text(made_forecast())
    for words in (
        "Forecast for 1,000 steps: 2m13s",
        "90% interval",
        "FITS",
        "full, one session",
        "times what is needed",
    ):
        assert words in text
    for name in ("setup", "collect", "rollout", "update", "evaluate", "checkpoint", "finalise"):
        assert f"  {name} " in text
    assert "not calibrated" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_forecast_without_past_runs_says_so():
    """A factor of two is no interval."""
    text = forecast_text(made_forecast(pairs=0))
    assert "no past runs: a factor of two, not calibrated on this machine yet" in text


def test_a_forecast_made_on_a_busy_machine_says_so():
    """By how much, and what to do about it; a quiet one gets no line."""
    text = forecast_text(made_forecast() | {"busy_share": 0.72})
    assert "busy machine: others may have cost up to 72% of the quick test" in text
    assert "busy" not in forecast_text(made_forecast())


def test_a_forecast_made_at_an_uneven_pace_says_so():
    """By how much, where that is more than the history of this machine; else there is no line."""
    text = forecast_text(made_forecast() | {"reach": 1.29, "factor": 1.15})
    assert "unsteady machine: equal work took up to 29% more or less" in text
    assert "unsteady" not in forecast_text(made_forecast() | {"reach": 1.1, "factor": 1.15})


def test_a_forecast_that_does_not_fit_says_what_to_do():
    """Split where less than three quarters fit; a session too short for its setup never ends."""
    assert "DOES NOT FIT: split it" in forecast_text(made_forecast(1_000_000, "1h"))
    assert "never" in forecast_text(made_forecast(1_000, "40s"))


def test_a_summary_says_how_it_ended_and_what_next():
    """Status, step, time and where the report lies; a stopped run can be continued by the same command."""
    text = summary_text(SUMMARY, "runs/x")
    assert "COMPLETE: reached its total   step 24,000 of 24,000, 1 session, 3h21m35s" in text
    assert "runs/x/report.html" in text
    assert "continues" not in text
    stopped = SUMMARY | {"status": "stopped", "reason": "soft_deadline", "resumable": True, "sessions": 2}
    assert "2 sessions" in summary_text(stopped, "runs/x")
    assert "The same command again continues it." in summary_text(stopped, "runs/x")


def test_a_summary_hides_neither_reduction_nor_inexactness():
    """A reduced total and a resume that is not exact are told in a line each."""
    text = summary_text(SUMMARY | {"total_timesteps": 15_000, "inexact_reason": "threads differ"}, "r")
    assert "reduced from 24,000 steps under time pressure" in text
    assert "Resume is not exact: threads differ." in text


@pytest.mark.parametrize(("actual_s", "says"), [(133.0, "inside"), (1_330.0, "OUTSIDE")])
def test_the_forecast_stands_beside_what_was(actual_s, says):
    """Predicted, actual, the error in percent, and whether the interval held."""
    text = summary_text(SUMMARY | {"forecast": made_forecast(), "elapsed_s": actual_s}, "r")
    assert "forecast 2m13s" in text
    assert f"{says} the interval" in text
    assert ("+" in text) == (actual_s > 200) or "%" in text


def test_results_stand_in_a_table_with_intervals():
    """A row a controller with delay and queue, and the agent's difference with its interval."""
    made = results()
    made["evaluation"]["differences"] = [
        {"baseline": "max-pressure", "mean_s": -3.9, "low_s": -4.2, "high_s": -3.6}
    ]
    text = results_text(made)
    for name in ("dqn", "max-pressure", "best fixed time", "fixed 30/30"):
        assert name in text
    assert "-3.90 (-4.20 to -3.60)" in text
    assert text.count(" to ") == 1
    assert "20 test days" in text


def test_a_verification_names_what_is_bad():
    """OK with the number of files, or each bad file with its reason; notes in both."""
    good = {"ok": True, "files": 12, "bad": [], "notes": ["no sum beside it"]}
    assert (
        verify_text(good, "x.zip") == "OK: 12 files of x.zip are what was written.\n  note: no sum beside it"
    )
    bad = {"ok": False, "files": 12, "bad": ["a", "b"], "reasons": {"a": "sha256 differs"}}
    assert verify_text(bad, "x.zip").splitlines() == [
        "BAD: 2 of 12 in x.zip:",
        "  a: sha256 differs",
        "  b: bad",
    ]


def test_a_forecast_with_an_endless_option_can_be_written():
    """What never ends is a word, not an error, and no JSON of another dialect."""
    made = made_forecast()
    made["options"][2]["predicted_s"] = None
    assert "never" in forecast_text(made)
