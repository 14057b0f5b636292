"""Copies of real notebooks with a defect planted in them, and what the checks say of their quick tests."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from kit.harness.deadline import Limits
from kit.harness.summary import read_json
from kit.launched import LAUNCHED
from kit.notebooks.document import Document
from kit.notebooks.launch import Launch
from kit.notebooks.preflight import findings_of, launching_of
from kit.preflight.check import Finding

ROOT = Path(__file__).resolve().parents[2]
LEARNS = ROOT / "tests/notebooks/fixtures/learns.ipynb"
TRAINS = ROOT / "tests/notebooks/fixtures/trains.ipynb"
TRAFFIC = ROOT / "notebooks/traffic_signal.ipynb"
Change = tuple[str, str]


def plant(notebook: Path, folder: Path, *changes: Change) -> Path:
    """Copy a notebook into ``folder`` with these changes, each of a text that is there exactly once."""
    raw = json.loads(notebook.read_text())
    sources = ["".join(cell["source"]) for cell in raw["cells"]]
    for old, new in changes:
        found = [number for number, source in enumerate(sources) if old in source]
        assert len(found) == 1, (old, found)
        assert sources[found[0]].count(old) == 1, old
        sources[found[0]] = sources[found[0]].replace(old, new)
    for cell, source in zip(raw["cells"], sources, strict=True):
        cell["source"] = source.splitlines(keepends=True)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / notebook.name
    path.write_text(json.dumps(raw))
    return path


def notebook_here(notebook: Path, out: Path, **values: Any) -> None:
    """Run a notebook's cells in this process: the same cells, session and training, without the start of a kernel."""
    space: dict[str, Any] = {"__name__": "__main__"}
    with mock.patch.dict(os.environ):
        os.environ.pop(LAUNCHED, None)
        try:
            for cell in Document.read(notebook).cells:
                if cell.runs:
                    exec(compile(cell.source, f"{notebook.name}, cell {cell.index}", "exec"), space)
                if "parameters" in cell.tags:
                    space.update({"out": str(out), **values})
        finally:
            if (
                "session" in space
            ):  # a defect may keep it open: its throttle would judge the tests that follow
                space["session"].let_go()


def quick_test_here(notebook: Path, out: Path, **values: Any) -> dict[str, Finding]:
    """Run a notebook's cells here, as a quick test; return what the checks beside and after it see, by name."""
    notebook_here(notebook, out, quick_test=True, **values)
    launching = launching_of(Launch(notebook, values, str(out), quick_test=True), Limits())
    summary = read_json(launching.folder.summary)
    found = findings_of(launching, summary, "", Limits())
    return {finding.name: finding for finding in found}


class QuickTest(NamedTuple):
    """A quick test that was run: of which notebook, in which folder, and what the checks saw."""

    notebook: Path
    folder: Path
    found: dict[str, Finding]


def failed(found: dict[str, Finding]) -> list[str]:
    """Return the names of the checks that failed."""
    return [name for name, finding in found.items() if finding.status == "fail"]
