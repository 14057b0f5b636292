"""What the launcher of a notebook learns from a finished run."""

import json
from pathlib import Path
from typing import Any

import pytest

from kit.errors import IntegrityError
from kit.notebooks.launch import Launch, NotebookRun
from kit.timing.history import read_pairs

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "traffic_signal.ipynb"
COMPLETE: dict[str, Any] = {
    "status": "complete",
    "sessions": 1,
    "total_timesteps": 24_000,
    "requested_timesteps": 24_000,
    "elapsed_s": 110.0,
    "forecast": {"predicted_s": 100.0, "total_timesteps": 24_000},
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NotebookRun:
    """A launch that has a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return NotebookRun(Launch(NOTEBOOK, out=str(tmp_path / "run")))


def test_a_complete_run_adds_its_times_to_the_history(run: NotebookRun) -> None:
    """Predicted and actual seconds, under the notebook's name."""
    run._learn_from(COMPLETE)
    (pair,) = read_pairs()
    assert (pair.notebook, pair.predicted_s, pair.actual_s) == ("traffic_signal", 100.0, 110.0)


@pytest.mark.parametrize(
    "other",
    [
        {"total_timesteps": 12_000},
        {"forecast": {"predicted_s": 100.0, "total_timesteps": 12_000}},
        {"forecast": None},
        {"status": "stopped"},
        {"sessions": 2},
    ],
)
def test_a_run_that_is_not_the_one_forecast_teaches_nothing(run: NotebookRun, other: dict[str, Any]) -> None:
    """Reduced under pressure, forecast for another total or not at all, stopped, or resumed: no pair."""
    run._learn_from(COMPLETE | other)
    assert read_pairs() == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", {"config_hash": "a", "config": [1]}),
        ("run.json", {"config_hash": "a", "config": "x"}),
        ("summary.json", {"status": "complete"}),
        ("summary.json", {"status": "complete", "reason": 1, "step": "many"}),
        ("summary.json", {"status": ["complete"]}),
    ],
)
def test_a_run_folder_with_records_of_another_form_is_refused(
    run: NotebookRun, name: str, content: Any
) -> None:
    """A run that came from elsewhere may say anything: an IntegrityError that names the file, nothing started."""
    run.folder.root.mkdir()
    run.folder.run_json.write_text(json.dumps({"config_hash": "a", "config": {}}))
    (run.folder.root / name).write_text(json.dumps(content))
    with pytest.raises(IntegrityError, match=name):
        run.run()
    assert not run.folder.sessions.exists()
