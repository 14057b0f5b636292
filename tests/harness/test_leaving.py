import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from kit.harness.leaving import LeavingWatch

LEAVES = """
from kit.harness.leaving import LeavingWatch
watch = LeavingWatch(print, lambda: print("left", flush=True), print)
watch.start()
if {stop}: watch.stop()
"""


def test_a_signal_is_only_noted_and_the_second_finds_the_handler_of_before():
    """The first SIGTERM calls back and returns; then the handler that was there is there again."""
    met: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: met.append(number))
    try:
        noted: list[str] = []
        watch = LeavingWatch(noted.append, lambda: None, noted.append)
        watch.start()
        os.kill(os.getpid(), signal.SIGTERM)
        assert (noted, met) == (["SIGTERM"], [])
        os.kill(os.getpid(), signal.SIGTERM)
        assert (noted, met) == (["SIGTERM"], [signal.SIGTERM])
        watch.stop()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_process_forked_from_a_watched_one_ends_at_sigterm():
    """The environment of a forked SubprocVecEnv is ended by multiprocessing with a single SIGTERM, and waited for."""
    # It is ended once it runs: a signal that comes in the middle of a fork is forgotten by Python itself.
    code = "import multiprocessing, time\nfork = multiprocessing.get_context('fork')\nruns = fork.Event()\n"
    code += "process = fork.Process(target=lambda: (runs.set(), time.sleep(60)))\n"
    code += "process.start()\nruns.wait(30)\nprocess.terminate()\nprocess.join(30)"
    code = f"{LEAVES.format(stop=False)}{code}\nprint(process.exitcode)\nprocess.kill()"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == str(-signal.SIGTERM)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("other = LeavingWatch(print, int, print)\nother.start()\n", -signal.SIGTERM),
        ("import signal\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(42))\n", 42),
    ],
    ids=["two watches", "a handler set later"],
)
def test_a_forked_process_has_the_handler_that_is_no_watch(more, code):
    """Whatever was registered before and after: the first SIGTERM finds the default, or the handler of a person."""
    forks = "import os, time\nready, runs = os.pipe()\nchild = os.fork()\n"
    forks += "if not child: (os.write(runs, b'.'), time.sleep(60))\nos.read(ready, 1)\n"
    forks += "os.kill(child, 15)\nprint(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    program = f"import os\n{LEAVES.format(stop=False)}{more}{forks}"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == str(code)


def test_stop_gives_every_handler_back():
    """After stop() SIGINT is Python's own again."""
    before = signal.getsignal(signal.SIGINT)
    watch = LeavingWatch(print, lambda: None, print)
    watch.start()
    assert signal.getsignal(signal.SIGINT) != before
    watch.stop()
    watch.stop()
    assert signal.getsignal(signal.SIGINT) == before


def test_the_end_of_the_interpreter_is_noticed_unless_stopped():
    """on_exit() runs at the end of the process, once the watch was not stopped."""
    said = [
        subprocess.run(
            [sys.executable, "-c", LEAVES.format(stop=stop)], check=True, capture_output=True, text=True
        ).stdout
        for stop in (False, True)
    ]
    assert said == ["left\n", ""]


def test_a_cell_that_fails_is_told_with_its_error():
    """An error before or in a cell is told by name and message; a cell that ends well is not."""
    told: list[str] = []
    watch = LeavingWatch(told.append, lambda: None, print)
    for before, inside in ((None, ValueError("x")), (SyntaxError("y"), None), (None, None)):
        watch._after_cell(SimpleNamespace(error_before_exec=before, error_in_exec=inside))
    assert told == ["ValueError: x", "SyntaxError: y"]
