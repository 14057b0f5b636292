"""What the benchmark of the way to Kaggle and back measures is what it says: imports, starts, sizes."""

import ast
import threading
from pathlib import Path

from benchmarks.bench_pushed_size import pushed
from benchmarks.notebook_imports import imports_of, seconds_of
from benchmarks.start_watch import StartWatch
from kit.harness.heartbeat import Heartbeat
from kit.remote.kernel_log import KernelLog

LONGEST_S = 30.0


def test_the_imports_are_those_of_the_notebook_and_nothing_else(repository: Path):
    """Lines that stand in its cells, in their order, each an import."""
    notebook = repository / "notebooks" / "traffic_signal.ipynb"
    lines = imports_of(notebook).splitlines()
    assert "from kit.sb3 import Evaluation, learn, load_best" in lines
    assert "from stable_baselines3 import DQN, PPO" in lines
    text = notebook.read_text()
    places = [text.index(line) for line in lines]
    assert places == sorted(places)
    assert all(isinstance(ast.parse(line).body[0], ast.Import | ast.ImportFrom) for line in lines)


def test_imports_are_timed_in_a_kernel_of_their_own(tmp_path: Path):
    """What takes its time there is seen; the kernel is there before, and the kit is as it is once unpacked."""
    lines = f"""
import kit, sys, threading
assert "ipykernel.kernelapp" in sys.modules
assert "torch" not in sys.modules
assert kit.__file__.startswith({str(tmp_path)!r})
threading.Event().wait(0.2)
"""
    assert seconds_of(lines, tmp_path) >= 0.2


def test_a_start_is_seen_from_outside(tmp_path: Path):
    """The first line before the first step, and neither before it is there."""
    with (
        StartWatch(tmp_path / "a.log", tmp_path / "heartbeat") as watch,
        KernelLog(tmp_path / "a.log", 0.0) as log,
        Heartbeat(tmp_path / "heartbeat", 0.0) as heartbeat,
    ):
        heartbeat.beat(0, 100, 0.0, "setup")
        assert (watch.first_line_s, watch.first_step_s) == (None, None)
        log.add("stderr", "Executing notebook\n")
        until(lambda: watch.first_line_s is not None)
        assert watch.first_step_s is None
        heartbeat.reached(4)
        until(lambda: watch.first_step_s is not None)
    assert watch.first_line_s < watch.first_step_s


def until(true) -> None:
    """Wait until something is true."""
    never = threading.Event()
    assert any(true() or never.wait(0.01) for _ in range(int(LONGEST_S / 0.01)))


def test_the_size_is_that_of_the_file_and_of_what_it_would_be(repository: Path, tmp_path: Path):
    """Below a megabyte; in base64 alone the kit has a third more than its files."""
    found = pushed(repository / "notebooks" / "traffic_signal.ipynb", tmp_path)
    built = tmp_path / "traffic_signal" / "traffic_signal.ipynb"
    assert found.size_bytes == built.stat().st_size <= 1_000_000
    sources = (repository / "kit").rglob("*.py")
    assert found.uncompressed_bytes > 4 / 3 * sum(path.stat().st_size for path in sources)
    assert found.uncompressed_bytes > 3 * found.size_bytes
