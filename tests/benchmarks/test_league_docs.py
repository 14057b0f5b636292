"""docs/self-play.md shows what benchmarks/results-league.json holds, and nothing else."""

from pathlib import Path

import pytest

from benchmarks.league.kept import LEARNING, LONG, SPEED, rows_of
from benchmarks.league.table import markdown

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "self-play.md").read_text()


@pytest.mark.parametrize("name", [LEARNING, SPEED, LONG])
def test_the_table_of_a_benchmark_is_that_of_its_results(name: str):
    """Between its marks stands its table as it is made from the results; none where it has not been run."""
    shown = TEXT.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]
    rows = rows_of(name)
    assert shown == (markdown(rows) if rows else "")
    assert f"<!-- /{name} -->" in TEXT
