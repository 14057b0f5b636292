import shutil
from pathlib import Path
from typing import Any

import pytest

from kit.report.record import read_record
from kit.report.standing import Standing, standing
from tests.report.made import make_run, run_json, write_json


def stands(tmp_path: Path, run_changes: dict[str, Any] | None = None, **changes: Any) -> Standing:
    """Return how a run stands whose summary has these changes."""
    folder = make_run(tmp_path / "run", summary_changes=changes, run_changes=run_changes)
    return standing(read_record(folder))


def test_a_complete_run_says_so_and_asks_for_nothing(tmp_path: Path) -> None:
    """Complete: how far, how long, and no command to go on."""
    shown = stands(tmp_path)
    assert shown.headline == "Complete: 24,000 of 24,000 steps in 2 min 1 s over 2 sessions"
    assert (shown.kind, shown.sentences, shown.command) == ("complete", (), "")


def test_a_stopped_run_gives_the_command_that_continues_it(tmp_path: Path) -> None:
    """The command has the run's own notebook parameters and folder, and what it does is said."""
    shown = stands(tmp_path, status="stopped", reason="soft deadline", step=13_500)
    assert shown.sentences == (
        "Why: soft deadline.",
        "The command below continues it from step 24,000, bit for bit.",
    )
    assert shown.command == (
        "python validation_cli.py run traffic_signal --set scenario=cologne1 --set algorithm=dqn "
        f"--set total_timesteps=24000 --set quick_test=false --out {tmp_path / 'run'}"
    )


def test_limits_and_folders_are_not_carried_over(tmp_path: Path) -> None:
    """A continued run must not stop at the limit that stopped it, and hostile values stay quoted."""
    given = {"scenario": "a b; rm -rf", "soft_limit": "30", "out": "x", "scales": [1]}
    shown = stands(tmp_path, {"notebook_parameters": given}, status="stopped")
    assert "soft_limit" not in shown.command
    assert shown.command.startswith(
        "python validation_cli.py run traffic_signal --set 'scenario=a b; rm -rf' --out"
    )


def test_unknown_settings_are_asked_for(tmp_path: Path) -> None:
    """Where the folder does not tell the notebook's parameters, the reader is asked to repeat them."""
    folder = make_run(tmp_path / "run", summary_changes={"status": "stopped"})
    raw = run_json()
    del raw["notebook_parameters"]
    write_json(folder / "run.json", raw)
    assert standing(read_record(folder)).sentences[-1].endswith("Give it the settings it had (--set).")


def test_a_run_without_a_summary_is_open(tmp_path: Path) -> None:
    """A killed run says that it has not ended properly and from where it goes on."""
    folder = make_run(tmp_path / "run")
    (folder / "summary.json").unlink()
    shown = standing(read_record(folder))
    assert shown.kind == "open"
    assert "from step 24,000" in shown.sentences[-1]


def test_without_a_checkpoint_it_starts_from_the_beginning(tmp_path: Path) -> None:
    """Nothing is promised that is not on disk."""
    folder = make_run(tmp_path / "run", summary_changes={"status": "failed", "reason": "ValueError: x"})
    shutil.rmtree(folder / "checkpoints")
    shown = standing(read_record(folder))
    assert shown.kind == "failed"
    assert "from the beginning" in shown.sentences[-1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"requested_timesteps": 48_000}, "shortened from 48,000 to 24,000 steps"),
        (
            {"exact": False, "inexact_reason": "a Monitor with a file"},
            "not bit for bit: a Monitor with a file.",
        ),
    ],
)
def test_what_qualifies_the_figures_is_said(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """A shrunken or inexact run is never shown as if it were the one asked for."""
    assert any(said in sentence for sentence in stands(tmp_path, **changes).sentences)


def test_a_quick_test_is_called_one(tmp_path: Path) -> None:
    """A quick test's figures are not to be believed as results."""
    assert "This was a quick test" in stands(tmp_path, {"quick_test": True}).sentences[0]
