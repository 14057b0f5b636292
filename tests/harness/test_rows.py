"""Append-only rows: nothing that a kill, a cut or a resumed run does makes a wrong row."""

import math
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.errors import IntegrityError, UsageError
from kit.harness.rows import AppendOnlyRows

CELLS = st.none() | st.floats(allow_nan=False) | st.integers(-(10**18), 10**18)
TEXTS = st.text(st.characters(categories=["L", "P", "Zs"], include_characters=' ,"'), min_size=1).filter(
    str.isprintable
)


def _written(path, rows, columns=()):
    with AppendOnlyRows(path, columns) as file:
        for row in rows:
            file.append(row)
    return path


def _read(path):
    with AppendOnlyRows(path) as file:
        return list(file.rows())


def test_rows_are_plain_csv(tmp_path):
    """The file is what any CSV reader takes: a header, one line a row, empty where not measured."""
    rows = [{"step": 1, "loss": 0.1, "note": 'a,"b"'}, {"step": 20, "loss": None, "note": None}]
    path = _written(tmp_path / "m.csv", rows, ["step", "loss", "note"])
    assert path.read_text() == 'step,loss,note\n1,0.1,"a,""b"""\n20,,\n'


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, st.none() | TEXTS), max_size=6))
def test_values_read_back_as_they_were(tmp_path_factory, values):
    """Numbers of any size and text with commas and quotes survive writing and reading, bit for bit."""
    path = tmp_path_factory.mktemp("rows") / "m.csv"
    rows = [{"step": 3 * i, "a": a, "b": b, "c": c} for i, (a, b, c) in enumerate(values)]
    _written(path, rows, ["a", "b", "c"])
    back = _read(path)
    assert [list(row) for row in back] == [["step", "a", "b", "c"]] * len(rows)
    for row, again in zip(rows, back, strict=True):
        assert [again[k] for k in ("step", "a", "b")] == [row[k] for k in ("step", "a", "b")]
        assert [type(again[k]) for k in "ab"] == [type(row[k]) for k in "ab"]
        assert again["c"] == row["c"] or _looks_like_a_number(row["c"])


def _looks_like_a_number(text):
    try:
        return math.isnan(float(text)) or True
    except (TypeError, ValueError):
        return False


def test_special_numbers_and_foreign_number_types(tmp_path):
    """NaN, infinities, NumPy scalars and truth values are written as numbers, a NumPy float like a float."""
    np = pytest.importorskip("numpy")
    row = {
        "step": np.int64(1),
        "a": math.nan,
        "b": -math.inf,
        "c": np.float64(0.1),
        "d": np.float32(0.5),
        "e": True,
    }
    path = _written(tmp_path / "m.csv", [row])
    assert path.read_text() == "step,a,b,c,d,e\n1,nan,-inf,0.1,0.5,1\n"
    assert math.isnan(_read(path)[0]["a"])


@pytest.mark.parametrize("bad", [-1, 1.5, "1", None, True])
def test_a_row_needs_a_whole_step(tmp_path, bad):
    """A step that is negative, fractional, text or missing is refused, and the file unchanged."""
    path = _written(tmp_path / "m.csv", [])
    with AppendOnlyRows(path) as file, pytest.raises(UsageError, match="step"):
        file.append({"step": bad, "x": 1})
    assert path.read_text() == "step\n"


def test_steps_must_increase(tmp_path):
    """A step again, or an earlier one, is refused with both named; also after opening anew."""
    path = _written(tmp_path / "m.csv", [{"step": 5}])
    with AppendOnlyRows(path) as file:
        for step in (5, 4):
            with pytest.raises(UsageError, match=f"{step} comes after 5"):
                file.append({"step": step})
        file.append({"step": 6})
        assert file.last_step == 6
    assert [row["step"] for row in _read(path)] == [5, 6]


@pytest.mark.parametrize("bad", [[1], object(), "two\nlines", "nul\0", 1j])
def test_what_is_no_cell_is_refused(tmp_path, bad):
    """Lists, objects and text of several lines are refused before anything is written."""
    with AppendOnlyRows(tmp_path / "m.csv", ["x"]) as file, pytest.raises(UsageError, match="cell"):
        file.append({"step": 1, "x": bad, "new": 1})
    assert (tmp_path / "m.csv").read_text() == "step,x\n"


@pytest.mark.parametrize("bad", ["", "a\nb", "a\0"])
def test_what_is_no_column_is_refused(tmp_path, bad):
    """A column's name is printable text."""
    with pytest.raises(UsageError, match="column"):
        AppendOnlyRows(tmp_path / "m.csv", [bad])


def test_a_new_column_joins_at_the_end(tmp_path):
    """A column first seen later is empty in the rows before, and appending goes on in the rewritten file."""
    path = tmp_path / "m.csv"
    with AppendOnlyRows(path, ["a"]) as file:
        file.append({"step": 1, "a": 1})
        file.append({"step": 2, "b": 2.5, "c,d": 3})
        file.append({"step": 3, "a": 4})
        assert file.columns == ("step", "a", "b", "c,d")
    assert path.read_text() == 'step,a,b,"c,d"\n1,1,,\n2,,2.5,3\n3,4,,\n'


def test_an_existing_file_keeps_its_columns(tmp_path):
    """Opening with other columns loses none: those of the file come first, the others join."""
    path = _written(tmp_path / "m.csv", [{"step": 1, "a": 1}])
    with AppendOnlyRows(path, ["step", "b"]) as file:
        assert file.columns == ("step", "a", "b")


def test_truncating_drops_what_lies_past_the_step(tmp_path):
    """Rows past a step go, the others stay as they were, and the next step may follow directly."""
    path = _written(tmp_path / "m.csv", [{"step": s, "x": s / 3} for s in (10, 20, 30, 40)])
    before = path.read_bytes()
    with AppendOnlyRows(path) as file:
        assert file.truncate_after(25) == 2
        assert file.last_step == 20
        file.append({"step": 30, "x": 10.0})
        file.append({"step": 40, "x": 40 / 3})
    assert path.read_bytes() == before
    with AppendOnlyRows(path) as file:
        assert file.truncate_after(-1) == 4
    assert path.read_text() == "step,x\n"


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.tuples(CELLS, st.none() | TEXTS), min_size=1, max_size=4))
def test_a_file_cut_at_any_byte_gives_no_wrong_row(tmp_path, values):
    """Cut anywhere, the rows read back are the first so many of those written, and appending works again."""
    path = tmp_path / "m.csv"
    path.unlink(missing_ok=True)
    _written(path, [{"step": 7 * i, "a": a, "b": b} for i, (a, b) in enumerate(values)], ["a", "b"])
    whole, rows = path.read_bytes(), _read(path)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with AppendOnlyRows(path, ["a", "b"]) as file:
            kept = list(file.rows())
            assert kept == rows[: len(kept)]
            assert len(kept) >= whole[:cut].count(b"\n") - 1
            file.append({"step": 7 * len(kept), "a": 1})
        assert _read(path)[:-1] == kept


def test_damage_in_the_middle_is_not_taken_for_a_torn_end(tmp_path):
    """A damaged row before good ones is an integrity error by line, and nothing of the file is cut."""
    path = _written(tmp_path / "m.csv", [{"step": s, "x": s} for s in (1, 2, 3)])
    whole = path.read_bytes()
    for bad in (
        whole.replace(b"2,2", b"2;2"),
        whole.replace(b"2,2", b"9,2"),
        whole.replace(b"2,2", b"\0\0\0"),
    ):
        path.write_bytes(bad)
        with AppendOnlyRows(path) as file:
            with pytest.raises(IntegrityError, match=r"line [34]"):
                file.append({"step": 10, "x": 1})
            with pytest.raises(IntegrityError):
                list(file.rows())
        assert path.read_bytes() == bad


def test_a_damaged_header_never_empties_the_file(tmp_path):
    """A flipped byte in the header must not make the rows below look like a torn end."""
    path = _written(tmp_path / "m.csv", [{"step": s, "x": s} for s in (1, 2, 3)])
    bad = path.read_bytes().replace(b"step", b"stap")
    path.write_bytes(bad)
    with AppendOnlyRows(path) as file, pytest.raises(IntegrityError, match="line 1"):
        file.append({"step": 10})
    assert path.read_bytes() == bad


def test_damage_past_the_restored_step_is_cut_off(tmp_path):
    """Resuming from a step before the damage repairs the file; from a step after it is an integrity error."""
    path = _written(tmp_path / "m.csv", [{"step": s, "x": s} for s in (10, 20, 30, 40)])
    bad = path.read_bytes().replace(b"30,30", b"30;30")
    path.write_bytes(bad)
    with AppendOnlyRows(path) as file:
        with pytest.raises(IntegrityError):
            file.truncate_after(30)
        assert path.read_bytes() == bad
        assert file.truncate_after(20) == 2
        file.append({"step": 30, "x": 30})
    assert [row["step"] for row in _read(path)] == [10, 20, 30]


def test_a_row_that_does_not_fit_takes_nothing_with_it(tmp_path, monkeypatch):
    """When the disk takes only part of a row, that part is taken back, and the same row can follow later."""
    path = _written(tmp_path / "m.csv", [{"step": 1, "x": 1}])
    before = path.read_bytes()
    real = os.write
    with AppendOnlyRows(path) as file:
        monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
        with pytest.raises(OSError, match=r"m\.csv"):
            file.append({"step": 2, "x": 222})
        assert path.read_bytes() == before
        monkeypatch.undo()
        file.append({"step": 2, "x": 222})
    assert path.read_bytes() == before + b"2,222\n"
