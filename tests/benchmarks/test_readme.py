"""What the benchmark left in the repository belongs together: its results, the README's tables, the shipped history."""

import json
from pathlib import Path

import pytest

from benchmarks.forecast.results import OVER_ALL, by_workload
from benchmarks.forecast.shipped import RESULTS
from benchmarks.forecast.table import markdown
from benchmarks.forecast.workloads import WORKLOADS
from kit.timing.history import shipped_pairs

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readmes_tables_are_those_of_the_results():
    """Both of ``python -m benchmarks.forecast --markdown`` stand in the README as they are."""
    workloads, over_all = markdown(json.loads(RESULTS.read_text())).split("\n\n")
    text = README.read_text()
    assert workloads in text
    assert over_all in text


def test_the_shipped_history_is_that_of_the_results():
    """Every workload has its pair, with the seconds that its rows show."""
    rows = by_workload(json.loads(RESULTS.read_text()))
    pairs = {pair.notebook: pair for pair in shipped_pairs()}
    assert list(pairs) == list(WORKLOADS) == [name for name in rows if name != OVER_ALL]
    for name, pair in pairs.items():
        assert rows[name]["steps"]["value"] == pair.timesteps
        assert rows[name]["predicted"]["value"] == pytest.approx(pair.predicted_s, abs=1e-3)
        assert rows[name]["actual"]["value"] == pytest.approx(pair.actual_s, abs=1e-3)
