"""What the launcher of a notebook refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from kit.errors import IntegrityError
from kit.notebooks.launch import Launch, NotebookRun

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "traffic_signal.ipynb"


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
