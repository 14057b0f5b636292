"""Stacks: every thread's, on a signal that nobody else uses."""

import faulthandler
import signal
import subprocess
import sys
from pathlib import Path

from kit.harness.stacks import StackWriter, dump_stacks, free_signal

STUCK = """
import ctypes, sys, threading
from pathlib import Path
from kit.harness.stacks import StackWriter
def a_thread_that_waits():
    threading.Event().wait()
def a_native_call_that_hangs():
    library, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    print(writer.signal, flush=True)
    library.pthread_mutex_lock(mutex)
threading.Thread(target=a_thread_that_waits, daemon=True).start()
writer = StackWriter(Path(sys.argv[1]))
writer.start()
a_native_call_that_hangs()
"""


def test_a_native_call_that_keeps_the_interpreter_is_named_with_every_thread(tmp_path):
    """Twice, with both headings, and the process is as it was."""
    raw, into = tmp_path / "raw", tmp_path / "logs/stacks.txt"
    with subprocess.Popen([sys.executable, "-c", STUCK, str(raw)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        assert dump_stacks(process.pid, number, raw, into, "first")
        assert dump_stacks(process.pid, number, raw, into, "second")
        assert process.poll() is None
        process.kill()
    text = into.read_text()
    assert text.count("a_native_call_that_hangs") == text.count("a_thread_that_waits") == 2
    assert text.index("=== first") < text.index("a_native_call_that_hangs") < text.index("=== second")


def test_a_registration_of_the_user_is_left_alone(tmp_path):
    """Handlers in Python and in C are seen; theirs is another signal than ours, and still theirs afterwards."""
    first = free_signal()
    faulthandler.register(first, file=sys.__stderr__)
    previous = signal.signal(first - 1, lambda *_: None)
    try:
        writer = StackWriter(tmp_path / "raw")
        writer.start()
        assert writer.signal < first - 1
        writer.stop()
        assert faulthandler.unregister(first)
    finally:
        signal.signal(first - 1, previous)


def test_without_a_signal_or_an_answer_there_are_no_stacks(tmp_path):
    """A process that has no writer is not signalled; one that is stopped does not answer; neither leaves a file."""
    into = tmp_path / "stacks.txt"
    assert not dump_stacks(1, 0, tmp_path / "raw", into, "x")
    raw = Path(tmp_path / "raw")
    with subprocess.Popen([sys.executable, "-c", STUCK, str(raw)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        process.send_signal(signal.SIGSTOP)
        assert not dump_stacks(process.pid, number, raw, into, "x")
        process.kill()
    assert not into.exists()
