"""The throttle as a whole: records, installation, the flush, and that nothing else is touched."""

import contextlib
import io
import logging
import os
import random
import sys
import threading
from collections.abc import Iterator

import pytest

from kit.harness.throttle import LogThrottle
from kit.harness.throttle_rules import EveryN, LastOnly, OnChange, PerSecond, Share


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """Yield a logger of its own that passes nothing up, and leave no handlers behind."""
    made = logging.getLogger("tests.throttled")
    made.setLevel(logging.DEBUG)
    made.propagate = False
    yield made
    made.handlers.clear()


def listen(log: logging.Logger) -> "logging.StreamHandler[io.StringIO]":
    """Add a handler with a text of its own to ``log``, and return it (pytest adds handlers, too)."""
    handler = logging.StreamHandler(io.StringIO())
    log.addHandler(handler)
    return handler


def test_a_record_goes_by_the_tag_of_its_message_or_its_extra(log: logging.Logger) -> None:
    """Both ways to tag a record find the rule; untagged records pass; arguments are formatted."""
    heard = listen(log)
    throttle = LogThrottle({"A": EveryN(2, "calls")})
    throttle.attach(heard)
    for number in range(2):
        log.info("[A] %d", number)
        log.info("[%s] %d", "A", number)
        log.info("plain %d", number, extra={"tag": "a"})
        log.info("untagged %d", number)
    assert heard.stream.getvalue().split("\n")[:-1] == [
        "[A] 0",
        "plain 0",
        "untagged 0",
        "[A] 1",
        "untagged 1",
    ]


def test_errors_are_never_throttled(log: logging.Logger) -> None:
    """A record at ERROR passes whatever its tag's rule, and is counted."""
    heard = listen(log)
    throttle = LogThrottle({"A": Share(0)})
    throttle.attach(heard)
    log.warning("[A] warned")
    log.error("[A] failed")
    assert heard.stream.getvalue() == "[A] failed\n"
    assert (throttle.counts()["A"].passed, throttle.counts()["A"].dropped) == (1, 1)


def test_two_handlers_are_one_judgement(log: logging.Logger) -> None:
    """A record that two handlers get passes to both or to neither, and counts once."""
    texts = [listen(log).stream, listen(log).stream]
    throttle = LogThrottle({"A": EveryN(3, "calls")})
    throttle.install(log, streams=False)
    for number in range(9):
        log.info("[A] %d", number)
    throttle.uninstall()
    assert texts[0].getvalue().startswith("[A] 0\n[A] 3\n[A] 6\n")
    assert texts[0].getvalue() == texts[1].getvalue()
    assert throttle.counts()["A"].seen == 9


def test_a_record_that_cannot_be_formatted_is_left_to_its_handler(
    log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad arguments do not raise in the caller: logging reports them as it always does."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    heard = listen(log)
    LogThrottle().attach(heard)
    log.info("%d", "not a number")
    log.info("%d", 7)
    assert heard.stream.getvalue() == "7\n"


def test_the_flush_gives_the_last_suppressed_line_of_each_tag_once(log: logging.Logger) -> None:
    """The last state hash appears at the end, with its level; a tag whose last line passed adds nothing."""
    heard = listen(log)
    heard.setFormatter(logging.Formatter("%(levelname)s %(filename)s %(message)s"))
    throttle = LogThrottle({"STATE_HASH": LastOnly(), "B": EveryN(3, "calls"), "C": EveryN(2, "calls")})
    throttle.attach(heard)
    for number in range(5):
        log.warning("[STATE_HASH] %d", number)
        log.info("[B] %d", number)
        log.info("[C] %d", number)
    before = heard.stream.getvalue()
    summary = throttle.flush()
    assert heard.stream.getvalue().removeprefix(before).splitlines() == [
        "WARNING test_throttle.py [STATE_HASH] 4",
        "INFO test_throttle.py [B] 4",
    ]
    assert summary.startswith("[THROTTLE] dropped 10 of 15 lines")
    assert "STATE_HASH 5 of 5, B 3 of 5, C 2 of 5" in summary
    assert throttle.flush() == ""


def test_the_flush_gives_what_was_printed_and_guarded(capsys: pytest.CaptureFixture[str]) -> None:
    """A held line, a guard's last value and the summary go to the wrapped stdout where nobody logs."""
    throttle = LogThrottle({"STATE_HASH": LastOnly(), "DIGEST": LastOnly()}, default="1/s", clock=lambda: 0.0)
    with throttle.install(logging.getLogger("tests.silent")):
        digest = throttle.guard("DIGEST")
        for number in range(3):
            digest(f"d{number}")
            sys.stdout.write(f"[STATE_HASH] {number}\n  └─ detail {number}\n")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["[STATE_HASH] 2", "  └─ detail 2", "[DIGEST] d2"]
    assert lines[3].startswith("[THROTTLE] dropped 9 of 9 lines")


def test_held_records_keep_no_arguments_alive(log: logging.Logger) -> None:
    """A dropped record does not keep its arguments, which may be large, until the flush."""
    listen(log)
    throttle = LogThrottle({"A": Share(0)})
    throttle.install(log, streams=False)  # at pytest's handler, too: it keeps records

    class Large:
        alive = 0

        def __init__(self) -> None:
            Large.alive += 1

        def __del__(self) -> None:
            Large.alive -= 1

    log.info("[A] %s", Large())
    alive = Large.alive
    throttle.uninstall()
    assert alive == 0


def test_install_wraps_and_uninstall_puts_back(log: logging.Logger) -> None:
    """Streams and handlers are exactly as before once the context ends, also after an error."""
    heard = listen(log)
    before = (sys.stdout, sys.stderr)
    throttle = LogThrottle()
    with throttle.install(log):
        assert sys.stdout is not before[0]
        assert heard.filters
        assert throttle.install(log) is throttle  # again is harmless
    assert (sys.stdout, sys.stderr) == before
    with contextlib.suppress(RuntimeError), throttle:
        assert sys.stdout is not before[0]
        raise RuntimeError("in the run")
    assert (sys.stdout, sys.stderr, heard.filters) == (*before, [])


def test_a_line_logged_to_the_wrapped_stdout_is_judged_once(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """A handler that writes to the wrapper does not have its lines judged by filter and stream both."""
    throttle = LogThrottle({"A": EveryN(10, "calls")})
    with throttle.install(log):
        log.addHandler(logging.StreamHandler(sys.stdout))  # after the installation: it holds the wrapper
        throttle.step(0)  # finds the new handler
        for number in range(100):
            log.info("[A] %d", number)
        assert throttle.counts()["A"].passed == 10
        assert throttle.counts()["A"].seen == 100
    assert capsys.readouterr().out.count("[A]") == 11  # and the last one, at the flush


def test_handlers_below_are_attached_too(log: logging.Logger) -> None:
    """A library's own handler, on a child logger that passes nothing up, is throttled as well."""
    child = logging.getLogger("tests.throttled.library")
    child.propagate, child.level = False, logging.INFO
    heard = listen(child)
    with LogThrottle({"A": Share(0)}).install(log, streams=False):
        child.info("[A] noise")
        child.info("news")
        assert heard.stream.getvalue() == "news\n"
    child.handlers.clear()


def test_a_stream_kept_past_uninstall_is_transparent(capsys: pytest.CaptureFixture[str]) -> None:
    """Who kept the wrapper can go on writing to it, and is no longer throttled."""
    with LogThrottle({"A": Share(0)}).install(logging.getLogger("tests.silent")):
        kept = sys.stdout
        sys.stdout.write("[A] dropped\n")
    print("[A] free", file=kept)
    assert "[A] free" in capsys.readouterr().out


def test_interleaved_subjects_change_apart() -> None:
    """Approaches that alternate in the log are compared each with itself: only real phase changes pass."""
    out = io.StringIO()
    throttle = LogThrottle({"BC UPDATE": OnChange("phase")})
    stream = throttle.stream(out)
    for step in range(40):
        for side, phase in (("north", step // 20), ("east", 1 - step // 20)):
            print(f"[BC UPDATE] t={step}.0 {side} → phase {phase} {'RED' if phase else 'GREEN'}", file=stream)
    assert out.getvalue().count("\n") == 4


def test_lines_per_step_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    """The rate is lines over environment steps, None before the first, and survives a counter reset."""
    throttle = LogThrottle({"A": EveryN(10)})
    assert throttle.lines_per_step() is None
    with throttle.install(logging.getLogger("tests.silent")):
        for start in (0, 0):
            for step in range(start, 50):
                throttle.step(step)
                for _ in range(4):
                    sys.stdout.write("[A] line\n")
    assert throttle.lines_per_step(asked=True) == 4
    assert throttle.lines_per_step() == pytest.approx(0.4)


def test_throttling_draws_no_random_numbers() -> None:
    """The global generator is where it was: a throttled run gives the results of a silent one."""
    random.seed(1)
    before = random.getstate()
    throttle = LogThrottle({"A": Share(37)}, default="50 %")
    stream = throttle.stream(io.StringIO())
    for number in range(200):
        print("[A]" if number % 2 else "b", number, file=stream)
    throttle.flush()
    assert random.getstate() == before


def test_only_per_second_reads_the_clock() -> None:
    """Rules by count, step and value give the same lines however fast the machine is."""

    def no_clock() -> float:
        raise AssertionError("the clock was read")

    throttle = LogThrottle(clock=no_clock)
    stream = throttle.stream(io.StringIO())
    print("[GPU_MEMORY] 1\n[BC UPDATE] phase 1\nplain", file=stream)
    with pytest.raises(AssertionError, match="clock was read"):
        LogThrottle({"A": PerSecond(1)}, clock=no_clock).guard("A")()


def test_a_fork_while_a_thread_logs_does_not_hang_the_child() -> None:
    """A child forked while another thread is in the middle of judging can print through its copy."""
    throttle = LogThrottle({"A": Share(50)})
    stream = throttle.stream(io.StringIO())
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            stream.write("[A] flood\n")

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _ in range(30):
            child = os.fork()
            if child == 0:
                stream.write("[A] from the child\n")
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        stop.set()
        thread.join()
