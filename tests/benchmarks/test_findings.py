"""What the facts of several workloads say together, and what is written and printed of it."""

import json

import pytest

from benchmarks.forecast.__main__ import evaluate, main
from benchmarks.forecast.findings import Findings
from benchmarks.forecast.outcome import Outcome
from benchmarks.forecast.results import by_workload, rows_of
from benchmarks.forecast.shipped import RESULTS, what_is_missing, write_history
from benchmarks.forecast.table import markdown, plain
from benchmarks.forecast.workloads import LoopWorkload
from kit.timing.history import SHIPPED, merge_history
from tests.benchmarks.made_up import STEPS, facts

NAMES = ("one", "two", "three")


@pytest.fixture
def findings() -> Findings:
    """Three workloads: as forecast, a tenth slower, half as slow again."""
    slower = zip(NAMES, (1.0, 1.1, 1.5), strict=True)
    return Findings.of([Outcome.of(facts(name, factor)) for name, factor in slower])


def test_each_run_is_held_against_the_others(findings):
    """1.5 and 1.1 times the forecast are what the first is judged by, so it is inside; the last is not."""
    held = findings.runs
    assert (held["one"].low_s, held["one"].high_s) == pytest.approx((19 / 1.5, 19 * 1.5))
    assert (held["three"].low_s, held["three"].high_s) == pytest.approx((19 / 1.1, 19 * 1.1))
    assert [held[name].inside for name in NAMES] == [True, True, False]


def test_each_window_is_held_against_the_others_windows(findings):
    """Twenty windows of two workloads, and the rank ⌈0.9 · 21⌉ = 19 of their ratios: all those of the slower one."""
    held = findings.held
    assert [len(held[name]) for name in NAMES] == [10, 10, 10]
    assert [held[name][1].width for name in NAMES] == pytest.approx([1.5**2, 1.5**2, 1.1**2])
    assert [held[name][1].inside for name in NAMES] == [True, True, False]


def test_what_was_left_at_half_is_held_too(findings):
    """The same of forecasts made under way."""
    held = findings.ahead[0.5]
    assert [one.error for one in held] == pytest.approx([0.0, 0.1, 0.5])
    assert [one.inside for one in held] == [True, True, False]


def test_the_figures_over_all(findings):
    """Median and worst, and whether what was asked of them is met."""
    found = {figure.name: figure for figure in findings.figures()}
    assert found["error, median"].value == pytest.approx(10.0)
    assert (found["error, median"].ratio, found["error, median"].met) == (pytest.approx(0.1 / 0.07), False)
    assert found["CPU error, worst"].value == pytest.approx(50.0)
    assert found["steps of a quick test, largest"].met is False
    assert found["workloads"].met is False
    inside = found["windows inside, of other workloads' interval"]
    assert (inside.value, inside.met) == (pytest.approx(200 / 3), False)
    assert found["windows, median high / low"].met is False
    assert found["runs inside, of other workloads' interval"].value == pytest.approx(200 / 3)
    assert found["100 steps: error, median"].value == pytest.approx(100 * (20.9 / 8 - 1))
    assert found["naive: error, median"].value == pytest.approx(100 * (28.5 / 24 - 1))
    assert found["naive: error, worst"].value == pytest.approx(100 * (1 - 19 / 24))
    assert found["drift told"].value == 0


def test_windows_without_a_time_are_counted_not_dropped():
    """A clock that stands still in a slice leaves no ratio: the slice is named, and judged by nobody."""
    still = facts("still")
    still["rows"] = [(step, time_s if step < 500 else 9.0) for step, time_s in still["rows"] if step != 500]
    found = Findings.of([Outcome.of(still), Outcome.of(facts("two"))])
    assert found.no_time == 10 - len(found.windows["still"]) > 0
    assert {figure.name: figure.value for figure in found.figures()}[
        "windows without a time"
    ] == found.no_time


def test_the_rows_make_the_tables(findings):
    """Written as JSON and read again they give the same table, whose numbers are those of the facts."""
    rows = rows_of(findings, "a machine")
    table = markdown(rows)
    assert markdown(json.loads(json.dumps(rows))) == table
    assert "| two | 1,000 | 19 s | 21 s | +10.0% | +10.0% | yes | +161% | -13% |" in table
    assert "| error, median | 10.0 % | at most 7 %, either way: **missed** |" in table
    assert {"name", "value", "unit", "against", "ratio", "date", "machine"} <= set(rows[0])
    assert len({row["name"] for row in rows}) == len(rows)
    assert list(by_workload(rows)) == [*NAMES, "all workloads"]


def test_the_terminals_table_is_narrow(findings):
    """At most 120 columns."""
    assert max(map(len, plain(rows_of(findings, "a machine")).splitlines())) <= 120


def test_a_part_of_the_benchmark_writes_nothing(capsys):
    """One workload fewer, one that failed, one of other steps: each is named, and the committed files stay."""
    before = [path.read_bytes() if path.exists() else b"" for path in (RESULTS, SHIPPED)]
    known = {name: LoopWorkload(name, "mlp", STEPS, 1, 1) for name in (*NAMES, "four")}
    there = [facts("one"), facts("two", failure="it fell over"), facts("three", timesteps=10)]
    assert what_is_missing(there, known) == [
        "two failed: it fell over",
        "three was run for 10 steps, not 1,000",
        "four was not measured",
    ]
    assert what_is_missing([facts(name) for name in known], known) == []
    assert evaluate([facts("loop-mlp"), facts("ppo-varying")]) == 0
    assert "sac-pendulum-small was not measured" in capsys.readouterr().err
    assert evaluate([facts("loop-mlp"), facts("ppo-varying"), {**facts("dqn-varying"), "failure": "no"}]) == 1
    assert [path.read_bytes() if path.exists() else b"" for path in (RESULTS, SHIPPED)] == before


def test_one_workload_cannot_be_held_against_others(capsys):
    """It says so and fails."""
    assert evaluate([facts("loop-mlp")]) == 1
    assert "Two workloads are needed" in capsys.readouterr().err


def test_facts_in_a_folder_give_the_table_again(tmp_path, capsys):
    """``--from FOLDER --markdown`` measures nothing and prints the table alone."""
    for name in ("ppo-varying", "loop-mlp"):
        (tmp_path / f"{name}.json").write_text(json.dumps(facts(name)))
    assert main(["--from", str(tmp_path), "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| loop-mlp", "| ppo-varying"]


def test_the_history_can_be_read_and_merged(findings, tmp_path):
    """Every pair comes back as it was written, from the list that ships as from a history of one's own."""
    path = tmp_path / "history.json"
    write_history(findings.outcomes, path)
    assert [row["notebook"] for row in json.loads(path.read_text())] == list(NAMES)
    assert merge_history(path, tmp_path / "mine.jsonl").added == 3
