"""The pair of a run folder: what it says where it says something."""

from pathlib import Path
from typing import Any

import pytest

from kit.errors import UsageError
from kit.harness.run_folder import RunFolder
from kit.harness.summary import write_json
from kit.timing.history import add_pair, read_pairs
from kit.timing.history_answer import history_answer
from kit.timing.pair import Ahead, Pair
from kit.timing.prediction import this_machine
from kit.timing.run_pair import pair_of_run

PHASES = [
    {"name": "rollout", "count": 9, "total_s": 60.0, "mean_s": 1.0, "cpu_s": 50.0},
    {"name": "surprise", "count": 1, "total_s": 1.0, "mean_s": 1.0, "cpu_s": 0.5},
]
SUMMARY: dict[str, Any] = {
    "status": "complete",
    "sessions": 1,
    "total_timesteps": 24_000,
    "requested_timesteps": 24_000,
    "elapsed_s": 110.0,
    "forecast": {
        "predicted_s": 100.0,
        "total_timesteps": 24_000,
        "predicted_cpu_s": 45.0,
        "phases": [{"name": "rollout", "total_s": 55.0}, {"name": "update", "total_s": 1.0}],
    },
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history that no other test writes to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def made(root: Path, **other: Any) -> RunFolder:
    """The folder of a finished run, with a summary that differs in ``other``."""
    folder = RunFolder(root)
    folder.create()
    write_json(folder.run_json, {"notebook": "n", "machine_kind": this_machine()})
    write_json(folder.summary, SUMMARY | other)
    entry = {
        "session": 1,
        "began": "2026-01-02T03:04:05",
        "elapsed_s": 110.0,
        "first_step": 0,
        "last_step": 24_000,
    }
    write_json(folder.sessions, {"sessions": [entry | {"end": "done"}]})
    notes = [{"share": 0.1, "step": 1, "elapsed_s": 20.0, "remaining_s": 80.0}]
    notes.append({"share": 0.25, "step": 2, "elapsed_s": 109.9996, "remaining_s": 80.0})
    write_json(folder.timing, {"phases": PHASES, "reforecasts": notes})
    return folder


def test_a_complete_run_says_what_was_foretold_and_what_came(tmp_path):
    """Wall and CPU seconds, those of each phase that was forecast, and of what was left at a tenth of the steps."""
    assert pair_of_run(made(tmp_path / "run")) == Pair(
        "n",
        this_machine(),
        100.0,
        110.0,
        "2026-01-02",
        24_000,
        45.0,
        50.5,
        {"rollout": (55.0, 60.0), "update": (1.0, 0.0)},
        (Ahead(0.1, 80.0, 90.0),),
    )


@pytest.mark.parametrize(
    "other",
    [
        {"total_timesteps": 12_000},
        {"forecast": SUMMARY["forecast"] | {"total_timesteps": 12_000}},
        {"forecast": None},
        {"status": "stopped"},
        {"sessions": 2},
        {"quick_test": True},
        {"scalings": [{"before": 24_000, "after": 20_000}, {"before": 20_000, "after": 24_000}]},
    ],
)
def test_a_run_that_is_not_the_one_forecast_teaches_nothing(tmp_path, other):
    """Reduced, if for a while, forecast for another total or not at all, stopped, resumed, a quick test: no pair."""
    assert pair_of_run(made(tmp_path / "run", **other)) is None
    with pytest.raises(UsageError, match="says nothing about a forecast"):
        history_answer(str(tmp_path / "run"))


def test_a_run_that_came_home_is_added_once(tmp_path):
    """The command shows the history with it, and by how much what was forecast was off."""
    made(tmp_path / "run")
    first, again = (history_answer(str(tmp_path / "run")) for _ in range(2))
    assert (first["found"], first["added"], again["added"]) == (1, 1, 0)
    assert first["own"] == {this_machine(): 1}
    assert len(read_pairs()) == 1


def test_nine_runs_here_calibrate_what_is_shown(tmp_path):
    """Eight are not enough; the ninth is."""
    for number in range(8):
        add_pair(Pair("n", this_machine(), 100.0, 110.0 + number, "2026-01-01"))
    assert not history_answer("show")["run"]["calibrated"]
    made(tmp_path / "run")
    found = history_answer(str(tmp_path / "run"))["run"]
    assert (found["calibrated"], found["pairs"]) == (True, 9)
    assert found["factor"] == pytest.approx(1.17)


@pytest.mark.parametrize("name", ["nowhere", "folder"])
def test_what_holds_no_history_is_refused(tmp_path, name):
    """A path that is not there, and a folder that is no run, are named."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=name):
        history_answer(str(tmp_path / name))


def test_a_run_folder_with_other_things_in_its_files_is_refused(tmp_path):
    """What came from elsewhere is read with care: the error names the folder, and nothing is added."""
    folder = made(tmp_path / "run")
    write_json(folder.timing, {"phases": [{"name": "rollout"}]})
    with pytest.raises(UsageError, match="holds no run of this kit: KeyError"):
        history_answer(str(folder.root))
    assert read_pairs() == []
