"""SUMO's processes: clean to fork from, silent on the terminal, gone with the run."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from kit.errors import KitError, MissingDependencyError
from kit.traffic import sumo_process
from kit.traffic.scenarios import load_scenario
from kit.traffic.sumo_process import EpisodeProcess
from kit.traffic.sumo_scenario import SumoScenario
from tests.traffic.sumo_installed import needs_sumo

pytestmark = needs_sumo

SHORT = 30


@pytest.fixture
def scenario():
    """The first minutes of cologne1's days."""
    return SumoScenario("cologne1", horizon_decisions=SHORT)


def test_sumo_failure_surfaces_with_its_own_words(scenario, tmp_path, capfd):
    """A trip on an edge that is not there is an error with SUMO's words; the terminal stays clean."""
    routes = tmp_path / "bad.rou.xml"
    trip = '<trip id="a" depart="25205" from="nowhere" to="32038051#0"/>'
    routes.write_text(f"<routes>{trip}</routes>")
    process = EpisodeProcess(replace(scenario.spec(0), routes=str(routes), perturb=False))
    with pytest.raises(KitError, match="nowhere"):
        process.run([0, 0])
    assert capfd.readouterr() == ("", "")


def test_killed_episode_process_is_an_error(scenario):
    """An episode whose process is killed raises, instead of waiting for ever."""
    process = EpisodeProcess(scenario.spec(0))
    assert process.initial.decision == 0
    before = psutil.Process().children(recursive=True)
    for child in before:
        if child.ppid() != os.getpid():  # the zygote's children, not the zygote
            child.kill()
    with pytest.raises(KitError, match="is gone"):
        process.run([0])


def test_files_named_like_standard_modules_do_not_stop_it(scenario, tmp_path, monkeypatch):
    """A platform.py in the working folder, which is on the training process's path, takes nobody's place."""
    for name in ("signal", "platform"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not the standard module')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.setattr(sumo_process._Zygote, "_current", None)
    process = EpisodeProcess(scenario.spec(0))
    assert process.initial.decision == 0
    process.close()


def test_missing_sumo_names_the_command(monkeypatch):
    """Without libsumo a scenario says how to install it, and nothing else is simulated in its place."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "libsumo" else found(name, *a)
    )
    with pytest.raises(MissingDependencyError, match=r"pip install -r requirements-sumo\.txt"):
        load_scenario("cologne1")


def test_nobody_outlives_a_killed_run(tmp_path):
    """After SIGKILL of the training process its zygote and episodes go within seconds, and leave no file."""
    script = """
import os, sys, time
from pathlib import Path
from kit.traffic.sumo_scenario import SumoScenario
from tests.traffic.sumo_installed import needs_sumo

pytestmark = needs_sumo
env = SumoScenario("cologne1").make_vec_env(2, 0)
env.reset()
import psutil
Path(sys.argv[1]).write_text(" ".join(str(c.pid) for c in psutil.Process().children(recursive=True)))
time.sleep(600)
"""
    note, temporary = tmp_path / "pids", tmp_path / "tmp"
    temporary.mkdir()
    command = [sys.executable, "-c", script, str(note)]
    run = subprocess.Popen(command, env=sumo_process._environment() | {"TMPDIR": str(temporary)})
    try:
        wait_for(lambda: note.exists() and len(note.read_text().split()) == 5, 60)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    pids = [int(pid) for pid in note.read_text().split()]
    wait_for(lambda: not any(alive(pid) for pid in pids), 10)
    assert list(temporary.iterdir()) == []


def wait_for(condition, seconds):
    """Wait until ``condition`` holds; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "still not so"
        time.sleep(0.01)  # polling another process: there is no event to wait for


def alive(pid):
    """Whether a process exists and is more than an entry waiting to be reaped."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_zygote_has_one_thread_and_no_torch(scenario):
    """What episodes are forked from runs a single thread and has not loaded torch."""
    env = scenario.make_env(0)
    env.reset()
    zygote = next(c for c in psutil.Process().children() if "kit.traffic.sumo_zygote" in c.cmdline())
    assert zygote.num_threads() == 1
    assert "torch" not in Path(f"/proc/{zygote.pid}/maps").read_text()


HELD = """
import os, time
from kit.traffic.sumo_process import _Zygote

zygote = _Zygote.shared()
child = os.fork()
if not child:
    time.sleep(60)  # with a copy of the socket to the zygote
    os._exit(0)
print(child, zygote._process.pid, flush=True)
"""


def test_a_forked_process_does_not_keep_the_zygote(tmp_path):
    """The interpreter ends in silence, and the zygote with it, though a forked process lives on."""
    with (
        (tmp_path / "errors").open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-c", HELD], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        child, zygote = map(int, process.stdout.readline().split())
        try:
            assert process.wait(60) == 0
            assert psutil.pid_exists(child)
            assert not psutil.pid_exists(zygote)
        finally:
            os.kill(child, signal.SIGKILL)
    assert (tmp_path / "errors").read_text() == ""
