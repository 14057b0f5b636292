"""What the launcher of a notebook refuses, and what it counts as its time."""

import json
from pathlib import Path
from typing import Any

import pytest

from kit.errors import IntegrityError
from kit.harness.clock import SYSTEM_CLOCK, process_began_s
from kit.notebooks.launch import Launch, NotebookRun

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "traffic_signal.ipynb"
WALK = Path(__file__).parent / "fixtures" / "trains.ipynb"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NotebookRun:
    """A launch that has a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return NotebookRun(Launch(NOTEBOOK, out=str(tmp_path / "run")))


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


def test_what_its_process_did_before_is_no_time_of_a_launch(tmp_path: Path, monkeypatch) -> None:
    """A launch by a process that has lived for long takes what it takes; a command counts from its own start."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert process_began_s() < SYSTEM_CLOCK.monotonic() - 0.5
    found = {}
    for name, earlier_s in (("now", None), ("command", 1_000.0)):
        launched_s = None if earlier_s is None else SYSTEM_CLOCK.monotonic() - earlier_s
        launch = Launch(WALK, {"total_timesteps": 40}, out=str(tmp_path / name), launched_s=launched_s)
        began_s = SYSTEM_CLOCK.monotonic()
        found[name] = NotebookRun(launch).run()["elapsed_s"] - (SYSTEM_CLOCK.monotonic() - began_s)
    assert found["now"] <= 0.1
    assert 990.0 < found["command"] < 1_000.1
