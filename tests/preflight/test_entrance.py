"""The cheap checks on the way into a run: each refuses what it is for, with exit 1, and leaves nothing behind."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import validation_cli
from kit.harness.clock import SYSTEM_CLOCK
from kit.harness.deadline import Limits
from kit.harness.gpu import from_command, from_library
from kit.notebooks.launch import Launch
from kit.notebooks.preflight import launching_of
from kit.preflight.catalogue import CHECKLIST, CHECKS
from kit.preflight.entrance import ENTRANCE, look_before
from tests.preflight.planted import LEARNS, TRAINS, plant

NO_GPU = from_library() is None and not from_command()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that is to be refused by a check; return what it says."""
    code = validation_cli.main(words)
    said = capsys.readouterr()
    assert (code, said.out) == (1, ""), said.err
    assert "The run was not begun" in said.err
    return said.err


def statuses(notebook: Path, out: Path, limits: Limits | None = None, **changes: Any) -> dict[str, str]:
    """Return the status of each cheap check for a run of ``notebook`` into ``out``."""
    launching = launching_of(Launch(notebook, {}, str(out)), limits or Limits())
    return {one.name: one.status for one in look_before(replace(launching, **changes))}


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that Kaggle sets."""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")


@pytest.fixture
def stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is not the machine's temporary one."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    return tmp_path / "kept"


def test_a_healthy_launch_passes_every_cheap_check_and_leaves_nothing(tmp_path, stays):
    """Ten checks, all passed, in less than two seconds; the folder is as it was."""
    stays.mkdir()
    began = SYSTEM_CLOCK.cpu()
    found = statuses(LEARNS, stays / "run")
    assert SYSTEM_CLOCK.cpu() - began < 2.0
    assert set(found.values()) == {"pass"}, found
    assert list(found) == [check.name for check in ENTRANCE]
    assert list(stays.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (("seed = 0", "seed = None"), "Seed set"),
        (('out = ""', 'out = "/tmp/lost"'), "Kaggle output folder configured"),
        (("    out=out,", '    out="/srv/lost",'), "Kaggle output folder configured"),
        (("    fresh=fresh,", "    fresh=fresh,\n    throttle=False,"), "Log throttle on"),
        pytest.param(
            ("seed = 0", 'seed = 0\ndevice = "cuda"'),
            "GPU asked for is there",
            marks=pytest.mark.skipif(not NO_GPU, reason="there is a GPU"),
        ),
    ],
)
def test_a_planted_defect_stops_a_fresh_run(tmp_path, capsys, change, name):
    """The check is named, and no folder of a run is made."""
    notebook = plant(LEARNS, tmp_path, change)
    assert name in refused(capsys, "run", str(notebook), "--out", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("out", ["/proc/nowhere/run", "a file"])
def test_a_folder_that_cannot_be_written_stops_a_fresh_run(tmp_path, capsys, out):
    """Output and checkpoint directory are both named."""
    if out == "a file":
        (tmp_path / "file").write_text("in the way")
        out = str(tmp_path / "file/run")
    said = refused(capsys, "run", str(LEARNS), "--out", out)
    assert "Output writable and in the folder that survives" in said


def test_a_quota_too_small_stops_a_fresh_run(tmp_path, capsys):
    """--disk-limit below what any run takes; said with both sizes."""
    said = refused(capsys, "run", str(LEARNS), "--out", str(tmp_path / "run"), "--disk-limit", "1MB")
    assert "Disk and quota enough: " in said
    assert "1.0 MB of the quota" in said


def test_disk_is_judged_by_the_forecast(tmp_path):
    """More than is free fails, two thirds of it is worth a note."""
    free = statuses(LEARNS, tmp_path / "run", need_bytes=10**6)["Disk and quota enough"]
    assert free == "pass"
    assert statuses(LEARNS, tmp_path / "run", need_bytes=10**18)["Disk and quota enough"] == "fail"
    quota = {"options": {"disk_limit": "300MB"}}
    assert (
        statuses(LEARNS, tmp_path / "run", need_bytes=250 * 10**6, **quota)["Disk and quota enough"] == "note"
    )


@pytest.mark.usefixtures("kaggle")
def test_on_kaggle_only_its_output_folder_survives(tmp_path, capsys):
    """A writable folder elsewhere is refused by name."""
    said = refused(capsys, "run", str(LEARNS), "--out", str(tmp_path / "run"))
    assert "only what is below /kaggle/working is kept" in said


@pytest.mark.usefixtures("kaggle")
def test_a_deadline_past_the_platforms_own_is_refused(tmp_path, capsys):
    """13 hours where Kaggle grants 12: the monitor would never get to ring."""
    limits = ("--soft-limit", "12h", "--hard-limit", "13h")
    said = refused(capsys, "run", str(LEARNS), "--out", str(tmp_path / "run"), *limits)
    assert "Timeout monitor set: soft 12h, hard 13h; Kaggle ends the session after 12h" in said


def test_a_library_that_is_missing_or_too_old_fails_by_name(tmp_path):
    """Each with what is there and what is asked for; what only the way to Kaggle needs is a note."""
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("numpy>=99  # planted\nno-such-library-of-ours>=1\nsix>=1\n-r other.txt\n")
    launching = replace(launching_of(Launch(LEARNS), Limits()), requirements=wanted)
    [one] = [one for one in look_before(launching) if one.name == "Versions match the requirements"]
    assert one.status == "fail"
    assert "numpy>=99 is asked for" in one.saw
    assert "no-such-library-of-ours is not installed" in one.saw
    wanted.write_text("numpy>=1\nsix>=99\n")
    [one] = [one for one in look_before(launching) if one.name == "Versions match the requirements"]
    assert one.status == "note"


@pytest.mark.slow
def test_checks_can_be_skipped_and_a_run_that_is_there_is_not_checked_again(tmp_path, capsys):
    """--skip-checks begins it; the same command without it then finds a complete run and returns at once."""
    notebook = plant(TRAINS, tmp_path, ("    fresh=fresh,", "    fresh=fresh,\n    throttle=False,"))
    words = ("run", str(notebook), "--out", str(tmp_path / "run"), "--set", "total_timesteps=20")
    refused(capsys, *words)
    assert validation_cli.main([*words, "--skip-checks"]) == 0
    assert validation_cli.main(words) == 0
    assert "COMPLETE" in capsys.readouterr().out


def test_a_refusal_as_json_names_the_check(tmp_path, capsys):
    """{error, nearest}, like every other refusal."""
    notebook = plant(LEARNS, tmp_path, ("seed = 0", "seed = None"))
    assert validation_cli.main(["run", str(notebook), "--out", str(tmp_path / "run"), "--json"]) == 1
    assert "Seed set" in json.loads(capsys.readouterr().out)["error"]


def test_the_checklist_is_among_the_checks_by_name():
    """All eight items of the zero-loss guarantee, and every check has its own name, reason and remedy."""
    names = [check.name for check in CHECKS]
    assert len(CHECKLIST) == 8
    assert set(CHECKLIST) <= set(names)
    assert len(set(names)) == len(names)
    assert all(check.why and check.todo for check in CHECKS)
