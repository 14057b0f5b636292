"""Real kernels, really killed."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen, run
from typing import Any

import psutil
import pytest

from kit.errors import StorageError, UnknownNameError, UsageError
from kit.harness.store import atomic_write
from kit.notebooks import NotebookOutcome, run_notebook
from kit.notebooks.child import NotebookSaver
from kit.notebooks.locate import repository_root
from kit.notebooks.runner import environment
from tests.notebooks.conftest import code

Find = Callable[[str], Path]


@contextmanager
def rlimit(kind: int, soft: int) -> Generator[None, None, None]:
    """Lower one of this process's limits for a while; a write past a file size limit fails, not kills."""
    before = resource.getrlimit(kind)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)
        signal.signal(signal.SIGXFSZ, handler)


@dataclass
class Folder:
    """A folder to run a notebook in, and what the run left there."""

    root: Path
    stop: Path = field(init=False)

    def __post_init__(self) -> None:
        self.stop = self.root / "stop"

    def run(self, path: Path, parameters: Mapping[str, Any] | None = None, **options: Any) -> NotebookOutcome:
        """Run the notebook at ``path`` here."""
        options = {"log": self.root / "notebook.log", "cwd": self.root} | options
        return run_notebook(path, parameters or {}, self.root / "executed.ipynb", **options)

    def executed(self) -> dict[str, Any]:
        """The executed notebook; nothing of its making lies beside it."""
        assert not [path.name for path in self.root.iterdir() if "partial" in path.name]
        notebook: dict[str, Any] = json.loads((self.root / "executed.ipynb").read_text(encoding="utf-8"))
        return notebook

    def printed(self) -> str:
        """What all cells printed."""
        outputs = [output for cell in self.executed()["cells"] for output in cell.get("outputs", ())]
        return "".join("".join(output.get("text", "")) for output in outputs)

    def pid(self) -> int | None:
        """The kernel of the ``loops`` notebook, once its loop has begun."""
        written = self.root / "pid"
        text = written.read_text(encoding="utf-8") if written.exists() else ""
        return int(text) if text else None


def gone(pid: int | None) -> bool:
    """Whether a process has ended; one that nobody has collected yet counts as ended."""
    assert pid is not None
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(true: Callable[[], bool], within_s: float = 60.0) -> None:
    """Look at something in another process until it is so; fail when it does not come."""
    for _ in range(round(within_s / 0.05)):
        if true():
            return
        threading.Event().wait(0.05)
    pytest.fail(f"not within {within_s} s")


def runner_process() -> psutil.Process:
    """Return the process that runs a notebook for this one, which may have other children."""
    [runner] = (one for one in psutil.Process().children() if "kit.notebooks.child" in one.cmdline())
    return runner


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with braces in its name, because papermill takes its paths for format strings."""
    root = tmp_path / "run {0}"
    root.mkdir()
    return Folder(root)


def test_a_notebook_runs_with_its_parameters_in_this_interpreter(
    fixture_notebook: Find, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values, folder, environment and interpreter are those asked for; the result is at ``output``."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    parameters = {"steps": 7, "rate": 1, "scenario": 'quo"te \\ {x} é\n', "label": {"a": [None, True]}}
    ticks: list[int] = []
    outcome = folder.run(
        fixture_notebook("completes"), parameters, env={"MARKER": "m"}, on_tick=lambda: ticks.append(1)
    )
    assert outcome == NotebookOutcome("completed", exit_code_of_process=0, cells_run=4, cells_expected=4)
    said = json.loads((folder.root / "said.json").read_text(encoding="utf-8"))
    assert {name: said[name] for name in parameters} == parameters
    assert (said["quick"], said["sizes"]) == (False, [64, 64])
    assert said["executable"] == sys.executable
    assert said["cwd"] == str(folder.root.resolve())
    assert Path(said["kit"]).is_relative_to(repository_root())
    assert (said["marker"], said["wait_policy"]) == ("m", "PASSIVE")
    assert folder.printed() == "written\n"
    assert ticks


def test_a_cell_that_raises_fails_the_run(fixture_notebook: Find, folder: Folder) -> None:
    """The outcome has cell, error and plain traceback, even where a tag would hide the error."""
    outcome = folder.run(fixture_notebook("raises"), {"size": 3})
    assert (outcome.status, outcome.failed_cell) == ("failed", 2)
    assert (outcome.error_name, outcome.error_value) == ("ValueError", "size 3 is not enough")
    assert 'raise ValueError(f"size {size} is not enough")' in outcome.traceback
    assert "\x1b" not in outcome.traceback
    assert folder.printed() == "before\n"


def test_the_working_folder_serves_the_cells_and_not_the_kernel(
    make_notebook: Callable[..., Path], folder: Folder
) -> None:
    """A module beside the notebook can be imported; one named like the standard library's breaks nothing."""
    (folder.root / "beside.py").write_text("answer = 42", encoding="utf-8")
    (folder.root / "json.py").write_text("raise ImportError('shadowed')", encoding="utf-8")
    cell = code("import json\nfrom beside import answer\nprint(json.dumps(answer))", 1)
    outcome = folder.run(make_notebook("a = 1", cell), env={"HOME": "/proc/nowhere"})
    assert outcome.completed, outcome
    assert folder.printed() == "42\n"


@pytest.mark.parametrize(("name", "cell"), [("exits_early", 2), ("skip_tag", 1)])
def test_a_skipped_cell_is_a_failure(fixture_notebook: Find, folder: Folder, name: str, cell: int) -> None:
    """``sys.exit(0)`` and a tag that skips a cell, for which papermill exits 0, do not complete a run."""
    outcome = folder.run(fixture_notebook(name))
    assert (outcome.status, outcome.failed_cell) == ("skipped_cells", cell)
    assert "never" not in folder.printed()


def test_a_kernel_that_exits_is_reported_with_its_code(fixture_notebook: Find, folder: Folder) -> None:
    """``os._exit`` in a cell ends the run with that code and the output so far."""
    outcome = folder.run(fixture_notebook("kernel_exits"))
    assert (outcome.status, outcome.failed_cell, outcome.kernel_exit_code) == ("kernel_died", 2, 6)
    assert outcome.exit_code_of_process == 0
    assert folder.printed() == "soon gone\n"


def test_a_killed_kernel_is_reported(fixture_notebook: Find, folder: Folder) -> None:
    """SIGKILL to a kernel in the middle of an endless cell ends the run and names the signal."""

    def kill() -> None:
        pid = folder.pid()
        if pid is not None and psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)

    outcome = folder.run(fixture_notebook("loops"), on_tick=kill)
    assert (outcome.status, outcome.failed_cell, outcome.kernel_exit_code) == ("kernel_died", 2, -9)
    assert "SIGKILL" in outcome.error_value
    folder.executed()


def test_a_killed_runner_leaves_a_notebook_and_no_kernel(fixture_notebook: Find, folder: Folder) -> None:
    """SIGKILL to the papermill process: the newest save is at ``output``, and the kernel is gone."""

    def kill() -> None:
        pid = folder.pid()
        if pid is not None:
            runner_process().kill()

    outcome = folder.run(fixture_notebook("loops"), on_tick=kill)
    assert (outcome.status, outcome.failed_cell, outcome.exit_code_of_process) == ("killed", 2, -9)
    assert gone(folder.pid())
    assert folder.executed()["cells"][1]["execution_count"] == 2


@pytest.mark.slow
def test_a_hung_kernel_whose_runner_was_killed_is_killed(fixture_notebook: Find, folder: Folder) -> None:
    """A kernel stuck in native code, which cannot see that its runner is gone, is not left behind."""

    def kill() -> None:
        if folder.pid() is not None:
            runner_process().kill()

    outcome = folder.run(fixture_notebook("hangs"), on_tick=kill)
    assert (outcome.status, outcome.failed_cell) == ("killed", 2)
    assert gone(folder.pid())


def test_a_notebook_that_cannot_be_saved_does_not_end_the_run(tmp_path: Path) -> None:
    """A failing save is remembered and leaves the last good one; the next that works clears it."""
    saver, path = NotebookSaver(), tmp_path / "executed.partial.ipynb"
    saver.write("first", str(path))
    with rlimit(resource.RLIMIT_FSIZE, 1_000):
        saver.write("x" * 10_000, str(path))
    assert str(path) in saver.error
    assert saver.read(str(path)) == "first"
    saver.write("second", str(path))
    assert (saver.error, saver.read(str(path))) == ("", "second")


def test_signals_ask_for_a_soft_stop_and_kill_nothing(fixture_notebook: Find, folder: Folder) -> None:
    """SIGTERM and SIGINT to the runner write the stop file; the notebook goes on from there to its end."""

    def stop() -> None:
        if folder.pid() is not None and not folder.stop.exists():
            [runner] = psutil.Process().children()
            runner.send_signal(signal.SIGTERM)
            runner.send_signal(signal.SIGINT)

    outcome = folder.run(fixture_notebook("loops"), on_tick=stop, stop_file=folder.stop)
    assert outcome.completed, outcome
    assert "to the process that runs the notebook" in folder.stop.read_text(encoding="utf-8")
    assert (folder.root / "stopped").read_text(encoding="utf-8") == "softly"


def test_an_exception_of_the_caller_stops_the_run_softly(fixture_notebook: Find, folder: Folder) -> None:
    """When ``on_tick`` raises, the notebook is stopped and waited for before the exception goes on."""

    def fail() -> None:
        if folder.pid() is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.run(fixture_notebook("loops"), on_tick=fail, stop_file=folder.stop)
    assert (folder.root / "stopped").exists()
    folder.executed()
    assert psutil.Process().children() == []


def test_without_a_stop_file_the_cell_is_interrupted(fixture_notebook: Find, folder: Folder) -> None:
    """With no way to stop softly, an exception of the caller interrupts the cell (KeyboardInterrupt)."""

    def fail() -> None:
        if folder.pid() is not None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        folder.run(fixture_notebook("loops"), on_tick=fail)
    errors = [output for cell in folder.executed()["cells"] for output in cell.get("outputs", ())]
    assert "KeyboardInterrupt" in [error.get("ename") for error in errors]


PARENT = """
import sys
from pathlib import Path
from kit.notebooks import run_notebook

notebook, folder = Path(sys.argv[1]), Path(sys.argv[2])
output, log, stop = folder / "executed.ipynb", folder / "log", folder / "stop"
run_notebook(notebook, {}, output, log=log, cwd=folder, stop_file=stop)
"""


def test_a_run_whose_command_was_killed_stops_softly(fixture_notebook: Find, folder: Folder) -> None:
    """SIGKILL to the command line: the run asks itself to stop, ends, and leaves the executed notebook."""
    temporary = folder.root / "tmp"
    temporary.mkdir()
    arguments = [sys.executable, "-c", PARENT, str(fixture_notebook("loops")), str(folder.root)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with Popen(arguments, cwd=repository_root(), stderr=PIPE, env=environment) as command:
        wait_until(lambda: folder.pid() is not None or command.poll() is not None)
        assert command.poll() is None, command.stderr and command.stderr.read()
        [runner] = psutil.Process(command.pid).children()
        command.kill()
    wait_until(lambda: gone(runner.pid))
    assert "is gone" in folder.stop.read_text(encoding="utf-8")
    assert (folder.root / "stopped").exists()
    assert len(folder.executed()["cells"]) == 4
    assert list(temporary.iterdir()) == []


def test_a_flood_of_prints_is_no_failure(fixture_notebook: Find, folder: Folder) -> None:
    """30,000 prints at once neither fail the run nor lose a line."""
    assert folder.run(fixture_notebook("floods")).completed
    printed = folder.printed()
    assert printed.count("\n") == 30_001
    assert printed.endswith("line 29999 of a log that nobody throttled\ndone\n")


@pytest.mark.slow
def test_a_flood_of_flushed_prints_loses_no_message(fixture_notebook: Find, folder: Folder) -> None:
    """30,000 messages, thirty times what zmq queues by default, all arrive."""
    assert folder.run(fixture_notebook("floods"), {"flush": True}).completed
    assert folder.printed().count("\n") == 30_001


@pytest.mark.parametrize(
    ("parameters", "error"),
    [({"step": 1}, UnknownNameError), ({"steps": "many"}, UsageError), ({"quick": 1}, UsageError)],
)
def test_a_wrong_parameter_starts_nothing(
    fixture_notebook: Find, folder: Folder, parameters: dict[str, Any], error: type[Exception]
) -> None:
    """An unknown or mistyped parameter is an error before any process starts or any file is written."""
    with pytest.raises(error):
        folder.run(fixture_notebook("completes"), parameters)
    assert list(folder.root.iterdir()) == []


def test_an_output_that_cannot_be_written_is_a_clear_error(fixture_notebook: Find, folder: Folder) -> None:
    """A file where the output's folder should be is a storage error that names it."""
    atomic_write(folder.root / "taken", "a file")
    with pytest.raises(StorageError, match="taken"):
        run_notebook(
            fixture_notebook("completes"),
            {},
            folder.root / "taken" / "executed.ipynb",
            log=folder.root / "log",
        )


def test_strings_hash_alike_in_every_session_unless_asked_otherwise(monkeypatch):
    """Python draws the seed of the hash anew in each process, and with it the order of a set of names."""
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    command = [sys.executable, "-c", "print(hash('lane'))"]
    said = [run(command, env=environment({}), stdout=PIPE, check=True).stdout for _ in range(2)]
    assert said[0] == said[1]
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert environment({})["PYTHONHASHSEED"] == "7"
