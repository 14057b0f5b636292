from typing import Any

import pytest

from kit.report.evaluation import read_evaluation
from kit.report.verdict import Verdict, judge
from tests.report.made import results


def verdict(raw: dict[str, Any]) -> Verdict:
    """Judge results."""
    evaluation = read_evaluation(raw, "dqn", [])
    assert evaluation is not None
    return judge(evaluation)


@pytest.mark.parametrize(
    ("shift_s", "kind", "headline"),
    [
        (0.0, "better", "dqn beats the best baseline, max-pressure"),
        (3.9, "none", "No difference shown between dqn and the best baseline, max-pressure"),
        (9.0, "worse", "dqn is worse than the best baseline, max-pressure"),
    ],
)
def test_the_headline_claims_what_the_interval_shows(shift_s: float, kind: str, headline: str) -> None:
    """Better or worse only where the interval is clear of zero; else that no difference is shown."""
    judged = verdict(results(shift_s))
    assert (judged.kind, judged.headline) == (kind, headline)
    assert ("includes zero" in judged.detail) == (kind == "none")


def test_more_vehicles_left_behind_are_mentioned() -> None:
    """A low mean that was bought with vehicles that never arrived is not left to stand alone."""
    raw = results()
    raw["evaluation"]["controllers"][0]["unfinished"] = [300] * 20
    assert "left more vehicles unfinished" in verdict(raw).detail
    assert "unfinished" not in verdict(results()).detail


def test_one_seed_shows_nothing() -> None:
    """Without an interval there is no claim, however large the difference."""
    assert verdict(results(n_seeds=1)).kind == "unknown"


def test_no_baseline_is_nothing_to_compare() -> None:
    """An agent alone is neither better nor worse."""
    raw = results()
    raw["evaluation"]["controllers"] = raw["evaluation"]["controllers"][:1]
    assert verdict(raw).kind == "unknown"
