"""Drills: their plan, what they call torn and different, and one with real kills of a real kernel."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from kit.errors import NotebookError, RunLockedError, UsageError
from kit.harness.checkpoints import CheckpointStore
from kit.harness.heartbeat import Beat
from kit.harness.lock import FileLock
from kit.harness.run_folder import RunFolder
from kit.notebooks.drill import Drill, DrillOrder, passed
from kit.notebooks.drill_compare import differences, leaves
from kit.notebooks.drill_kill import KERNEL, MACHINE, ProcessTree
from kit.notebooks.drill_plan import EVALUATE, FINALISE, KINDS, START_UP, kind_of, plan_kills
from kit.notebooks.drill_rows import torn_rows
from kit.notebooks.drill_watch import Trail
from kit.report.drill import drill_text
from kit.tensors import decode, encode
from tests.crash.runs import wait_until
from validation_cli import main

TRAINS = Path(__file__).parent / "fixtures/trains.ipynb"
ROOT = Path(__file__).resolve().parents[2]
WALK = {"total_timesteps": 300, "pause_s": 0.004}


def beat(phase: str, step: int = 50, *, under_way: bool = True, writing: bool = False) -> Beat:
    """Return a heartbeat of a run of 100 steps."""
    return Beat(step, 100, 1.0, 0.0, 0.0, phase, under_way, writing)


@pytest.mark.parametrize(
    ("there", "kind"),
    [
        (beat("setup", 0, under_way=False), START_UP),
        (beat("checkpoint", 0, under_way=False), START_UP),  # the one that it resumes from is read
        (beat("update"), "training"),
        (beat("setup"), "training"),  # the first boundaries, before the next look at the clock
        (beat("update", writing=True), "checkpoint"),
        (beat("evaluate", writing=True), "evaluate"),
        (beat("checkpoint"), "checkpoint"),
        (beat("export"), "export"),
        (beat("baselines", 100), "evaluate"),
        (beat("warm_up", 100), START_UP),
        (beat("finalise", 100), "finalise"),
    ],
)
def test_what_a_run_was_doing_is_read_from_its_heartbeat(there: Beat, kind: str) -> None:
    """Start-up does not count, a background write does, and what follows training is evaluation."""
    assert kind_of(there) == kind


def test_a_plan_has_three_kills_in_each_phase_and_is_a_function_of_its_seed() -> None:
    """Fifteen or more: three of each kind; steps increase; those of the finalisation come last."""
    for seed in range(20):
        plan = plan_kills(17, seed, 10_000, set(KINDS))
        counts = Counter(kill.kind for kill in plan)
        assert all(counts[kind] >= 3 for kind in KINDS)
        assert [kill.step for kill in plan] == sorted(kill.step for kill in plan)
        assert [kill.kind for kill in plan[-counts[FINALISE] :]] == [FINALISE] * counts[FINALISE]
        assert {kill.victim for kill in plan} == {MACHINE, KERNEL}
        assert plan == plan_kills(17, seed, 10_000, set(KINDS))
    assert plan_kills(17, 1, 10_000, set(KINDS)) != plan_kills(17, 2, 10_000, set(KINDS))


@pytest.mark.parametrize("kills", [1, 3, 5])
def test_few_kills_are_spread_over_the_phases_that_are_there(kills: int) -> None:
    """No phase gets a second kill before each has one, and one that the run does not have gets none."""
    for seed in range(10):
        counts = Counter(kill.kind for kill in plan_kills(kills, seed, 1_000, set(KINDS) - {EVALUATE}))
        assert counts.total() == kills
        assert max(counts.values()) == (1 if kills < 5 else 2)
        assert EVALUATE not in counts


@pytest.mark.parametrize("kills", [0, -1])
def test_a_drill_without_a_kill_is_refused(tmp_path: Path, kills: int) -> None:
    """It would show nothing."""
    with pytest.raises(UsageError, match="at least 1"):
        Drill(DrillOrder(TRAINS, kills=kills, out=str(tmp_path)))
    with pytest.raises(UsageError, match="at least 1"):
        plan_kills(kills, 0, 100, set(KINDS))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--kills", "0"), "at least 1"),
        (("--kills", "1e999"), "is no whole number"),
        (("--kills", "many"), "'many' is no whole number. Legal: 20"),
        (("--kils", "3"), "Did you mean '--kills'"),
        (("--set", "total_timestep=3"), "Did you mean 'total_timesteps'"),
        (("--set", "fresh=true"), "use --fresh"),
    ],
)
def test_what_cannot_be_drilled_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Exit 2 with the nearest legal word; not even the folder is made."""
    assert main(["drill", str(TRAINS), "--out", str(tmp_path / "drill"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "drill").exists()


WHOLE = "step,a,b\n5,0.5,\n10,0.25,\n15,0.125,7\n"


@pytest.mark.parametrize(
    ("text", "torn"),
    [
        (WHOLE, 0),
        ("", 0),
        ("step,a\n5,0.5\n10,0.25\n", 0),  # column b joins later
        ("step,a\n5,0.5\n10,0.2", 0),  # no newline: cut off when it is opened
        ("step,a\n5,0.5\n10,0.2\n", 1),
        ("step,a\n5,0.5\n10\n", 1),
        ("step,a\n5,0.5\n5,0.5\n10,0.25\n", 1),
        ("step,a\n5,0.5\n10,0.2510,0.25\n", 1),
        ("step,a\n5,0.5\n\x00\x00\x00\n", 1),
        ("step,a\n5,0.5\n20,0.1\n", 1),
        ("step,c\n5,0.5\n", 1),
    ],
)
def test_a_torn_row_is_a_whole_line_that_the_undisturbed_run_does_not_have(
    tmp_path: Path, text: str, torn: int
) -> None:
    """A wrong, short, doubled or foreign row counts; a last line without an end does not."""
    killed, undisturbed = RunFolder(tmp_path / "killed"), RunFolder(tmp_path / "undisturbed")
    for folder, content in ((killed, text), (undisturbed, WHOLE)):
        folder.root.mkdir()
        folder.metrics.write_text(content)
    assert torn_rows(killed, undisturbed) == torn
    killed.timing_rows.write_text("step,time_s,session\n5,0.1,1\n10,0.2\n")
    assert torn_rows(killed, undisturbed) == torn + 1


@pytest.mark.parametrize(
    ("text", "torn"), [("step,a\n5,0.7\n10,0.2\n", 0), ("step,a\n5,0.7\n10\n15,0.2\n", 1)]
)
def test_where_resume_is_not_exact_other_values_are_no_torn_rows(
    tmp_path: Path, text: str, torn: int
) -> None:
    """Without a run to compare with, a row only has to be well-formed."""
    killed = RunFolder(tmp_path)
    killed.metrics.write_text(text)
    assert torn_rows(killed, None) == torn


def test_what_depends_on_the_clock_is_not_compared() -> None:
    """The time of an episode and pickled environments are left out; all else of a checkpoint is there."""
    tree = {
        "episodes": [{"r": 1.0, "t": 3.5}],
        "environment": {"method": "pickle", "envs": b"x", "count": 1},
        "t": 4,
        "weights": np.ones(2),
    }
    found = dict(leaves(tree))
    assert set(found) == {
        "/episodes/length",
        "/episodes/0/r",
        "/environment/method",
        "/environment/count",
        "/t",
        "/weights",
    }


def test_a_trail_knows_when_a_step_was_reached() -> None:
    """A checkpoint of this session counts from its step, one of a session before from the first boundary."""
    trail = Trail()
    for at, step, writing in ((10.0, 100, False), (10.5, 120, True), (10.7, 120, True), (12.0, 130, False)):
        trail.add(at, beat("update", step, writing=writing))
    trail.add(13.0, beat("update", 900, under_way=False))
    assert [trail.reached_s(step) for step in (50, 100, 110, 120, 130)] == [10.0, 10.0, 10.5, 10.5, 12.0]
    assert trail.longest_gap_s(12.5) == 1.5
    assert trail.longest_write_s == pytest.approx(0.2)


def test_a_folder_that_is_no_drills_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Somebody's files are not in danger; they are named."""
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        Drill(DrillOrder(TRAINS, WALK, str(tmp_path))).run()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_run_that_still_goes_on_is_not_deleted(tmp_path: Path) -> None:
    """A drill that was itself killed leaves a run behind: the next one is told, and takes nothing away from it."""
    run = RunFolder(tmp_path / "killed-1")
    run.create()
    with FileLock(run.launching).acquire(), pytest.raises(RunLockedError, match="is open in"):
        Drill(DrillOrder(TRAINS, WALK, str(tmp_path))).run()
    assert run.lock.parent.is_dir()


def test_the_table_says_what_matters_first() -> None:
    """That a resume is not exact stands on top; what differs is named, and a run too short is not called proven."""
    found = {
        "exact": False,
        "inexact_reason": "the environment does not pickle",
        "each": [],
        "kills": 0,
        "asked_kills": 2,
        "killed_in": {},
        "rounds": 2,
        "steps_repeated_max": 0,
        "torn_rows": 0,
        "time_lost_s": 0.0,
        "time_lost_max_s": 0.0,
        "within_promise": True,
        "run_dir": "d",
        "cadence": {"checkpoint_max_s": 1.0},
        "differs": ["killed-1/metrics.csv: differs from line 7 on"],
    }
    lines = drill_text(found).splitlines()
    assert lines[0].startswith("Resume is NOT EXACT: the environment does not pickle.")
    assert "  differs: killed-1/metrics.csv: differs from line 7 on" in lines
    assert "NOT IDENTICAL with the undisturbed run." in lines
    assert "NOTHING WAS KILLED" in drill_text(found | {"differs": []})
    assert "too short" in drill_text(found | {"differs": [], "kills": 1})
    proof = {"identical": True, "torn_rows": 0, "kills": 2, "asked_kills": 2}
    assert passed(proof)
    for flaw in ({"identical": False}, {"torn_rows": 1}, {"kills": 1}):
        assert not passed(proof | flaw)


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A drill of the smallest notebook, with one kill of the machine; its folder and its result."""
    out = tmp_path_factory.mktemp("drill") / "drill"
    return out, Drill(DrillOrder(TRAINS, WALK, str(out), kills=1, seed=9)).run()


def test_a_killed_run_ends_as_if_it_never_was(drilled: tuple[Path, dict]) -> None:
    """A real kernel, really killed and resumed: identical, no torn row, and the kill is accounted for."""
    out, found = drilled
    assert passed(found), found
    assert found == json.loads((out / "drill.json").read_text()) | {"each": found["each"]}
    assert (found["kills"], found["exact"], found["torn_rows"], found["differs"]) == (1, True, 0, [])
    assert sum(found["killed_in"].values()) == 1
    assert len(json.loads((out / "killed-1/sessions.json").read_text())["sessions"]) == 2
    assert "IDENTICAL with the undisturbed run." in drill_text(found)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("metrics.csv", "\n5,", "\n5,1", "metrics.csv: differs from line 2 on"),
        ("summary.json", "complete", "stopped", "summary.json: is not complete"),
    ],
)
def test_a_doctored_folder_is_not_identical(
    tmp_path: Path, drilled: tuple[Path, dict], name: str, old: str, new: str, said: str
) -> None:
    """The comparison can fail, and names the file."""
    out, _ = drilled
    shutil.copytree(out / "killed-1", tmp_path / "run")
    assert differences(RunFolder(tmp_path / "run"), RunFolder(out / "undisturbed")) == []
    text = (tmp_path / "run" / name).read_text()
    (tmp_path / "run" / name).write_text(text.replace(old, new, 1))
    assert said in differences(RunFolder(tmp_path / "run"), RunFolder(out / "undisturbed"))


def test_another_value_in_the_last_checkpoint_is_named(tmp_path: Path, drilled: tuple[Path, dict]) -> None:
    """One number that is off in its last bits, in a checkpoint that verifies: its place in the tree is told."""
    out, _ = drilled
    shutil.copytree(out / "killed-1", tmp_path / "run")
    run, undisturbed = RunFolder(tmp_path / "run"), RunFolder(out / "undisturbed")
    store = CheckpointStore(run.checkpoints, json.loads(run.run_json.read_text())["config_hash"])
    newest = store.newest()
    assert newest is not None
    tree = decode(store.load(newest))
    at = tree["tree"]["objects"]["walk"]["at"]
    at[0] = np.nextafter(at[0], 9.0)
    shutil.rmtree(newest.path)
    store.save(newest.step, encode(tree), exact=True)
    assert "checkpoint: /tree/objects/walk/at differs" in differences(run, undisturbed)


def test_a_damaged_last_checkpoint_is_named(tmp_path: Path, drilled: tuple[Path, dict]) -> None:
    """One flipped bit: the run would resume from an earlier step, and the folder does not verify."""
    out, _ = drilled
    shutil.copytree(out / "killed-1", tmp_path / "run")
    tensors = next((tmp_path / "run/checkpoints").glob("step-000000300/*.safetensors"))
    changed = bytearray(tensors.read_bytes())
    changed[-1] ^= 1
    tensors.write_bytes(changed)
    found = differences(RunFolder(tmp_path / "run"), RunFolder(out / "undisturbed"))
    assert any(line.startswith("checkpoint: the last one is of step") for line in found)
    assert any("does not verify" in line for line in found)


def test_another_config_in_the_drills_folder_is_refused(drilled: tuple[Path, dict]) -> None:
    """The undisturbed run that is there was of other settings: they are named, and nothing is deleted."""
    out, _ = drilled
    with pytest.raises(UsageError, match="seed: 3 there, 4 asked for"):
        Drill(DrillOrder(TRAINS, {**WALK, "seed": 4}, str(out))).run()
    assert (out / "undisturbed/summary.json").exists()


@pytest.mark.slow
def test_a_notebook_that_fails_by_itself_cannot_be_drilled(tmp_path: Path) -> None:
    """Its failure is the error, not a difference."""
    values = {"total_timesteps": 200, "fail": "training"}
    with pytest.raises(NotebookError, match="a bug in the workload"):
        Drill(DrillOrder(TRAINS, values, str(tmp_path / "drill"))).run()


@pytest.mark.slow
def test_a_notebook_without_a_session_cannot_be_drilled(
    tmp_path: Path, make_notebook: Callable[..., Path]
) -> None:
    """It is told that it opened none."""
    with pytest.raises(NotebookError, match="opened no TrainingSession"):
        Drill(DrillOrder(make_notebook("out = ''"), out=str(tmp_path / "drill"))).run()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_drill_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C in the middle of a run: an error of one line, and nothing that still trains."""
    command = [sys.executable, "validation_cli.py", "drill", str(TRAINS), "--out", str(tmp_path / "drill")]
    settings = ["--set", "total_timesteps=100000", "--set", "pause_s=0.01"]
    process = subprocess.Popen([*command, *settings], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    lock = tmp_path / "drill/undisturbed/.kit/lock"
    wait_until(lambda: lock.exists() and (lock.parent / "heartbeat").exists(), "a session")
    everyone = ProcessTree(process.pid).members()
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted" in errors
    assert "Traceback" not in errors
    wait_until(lambda: not any(_runs(one) for one in everyone), "the end of every process")


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_fifteen_kills_in_every_phase_do_not_matter(tmp_path: Path) -> None:
    """Three kills in each kind of phase that the run has, the machine's and the kernel's: still the same end."""
    order = DrillOrder(
        TRAINS, {"total_timesteps": 3_000, "pause_s": 0.004}, str(tmp_path / "drill"), kills=15
    )
    found = Drill(order).run()
    assert passed(found), found
    assert all(found["killed_in"][kind] >= 3 for kind in KINDS if kind != EVALUATE)
    assert found["within_promise"], found["each"]
