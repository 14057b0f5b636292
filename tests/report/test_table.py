import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kit.report.table import read_table

WHOLE = "step,reward,loss\n500,-12.25,\n1000,-9.5,0.75\n1500,3.125,0.5\n"


def read(tmp_path: Path, content: str | bytes) -> tuple[dict[str, list[float]], list[str]]:
    """Read a metrics.csv of that content, and what was said about it."""
    path, problems = tmp_path / "metrics.csv", []
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    table = read_table(path, problems)
    return {name: list(column) for name, column in table.columns.items()}, problems


def test_empty_fields_are_nan(tmp_path: Path) -> None:
    """What was not measured is NaN, not zero."""
    columns, problems = read(tmp_path, WHOLE)
    assert columns["step"] == [500, 1000, 1500]
    assert math.isnan(columns["loss"][0])
    assert columns["loss"][1:] == [0.75, 0.5]
    assert problems == []


def test_cut_anywhere_gives_no_wrong_row(tmp_path: Path) -> None:
    """However many bytes a kill left, every row that is read is one that was written."""
    whole, _ = read(tmp_path, WHOLE)
    for cut in range(len(WHOLE)):
        columns, _ = read(tmp_path, WHOLE[:cut])
        rows = len(columns.get("step", []))
        assert columns.get("step", []) == whole["step"][:rows]
        assert columns.get("reward", []) == whole["reward"][:rows]


def test_unreadable_rows_are_left_out_and_said(tmp_path: Path) -> None:
    """A row that is no row of numbers costs itself only, and the reader is told how many there were."""
    columns, problems = read(tmp_path, "step,reward\n1,2\n3\nfour,5\n6,7\n")
    assert columns["step"] == [1, 6]
    assert problems == ["metrics.csv: 2 rows could not be read and are left out."]


def test_an_absent_file_is_no_problem(tmp_path: Path) -> None:
    """A run that has measured nothing yet gives an empty table and no complaint."""
    problems: list[str] = []
    assert len(read_table(tmp_path / "metrics.csv", problems)) == 0
    assert problems == []


def test_a_folder_in_its_place_is_a_problem(tmp_path: Path) -> None:
    """A file that is there but cannot be read is said."""
    (tmp_path / "metrics.csv").mkdir()
    problems: list[str] = []
    assert len(read_table(tmp_path / "metrics.csv", problems)) == 0
    assert "could not be read" in problems[0]


@given(st.binary(max_size=200))
def test_any_bytes_give_equal_columns(tmp_path_factory: object, content: bytes) -> None:
    """Whatever the bytes, reading raises nothing and the columns are of equal length."""
    columns, _ = read(tmp_path_factory.mktemp("any"), content)  # type: ignore[attr-defined]
    assert len({len(column) for column in columns.values()}) <= 1
