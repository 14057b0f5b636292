"""The throttled stream: lines, partial lines, progress bars, threads, and what it passes through."""

import io
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.harness.throttle import LogThrottle
from kit.harness.throttle_rules import EveryN, OnChange, Share

DROP_A = {"A": Share(0)}


class Out(io.StringIO):
    """A text stream that counts how often it is flushed and written to."""

    def __init__(self) -> None:
        super().__init__()
        self.flushes = 0
        self.writes = 0

    def flush(self) -> None:  # noqa: D102
        self.flushes += 1

    def write(self, text: str) -> int:  # noqa: D102
        self.writes += 1
        return super().write(text)


def test_tagged_lines_are_dropped_and_others_pass() -> None:
    """A line goes by its own tag, wherever the writes that make it up are cut."""
    out = Out()
    stream = LogThrottle(DROP_A).stream(out)
    for piece in ("[", "A] dro", "pped\nkept\n[A] dropped", "\nalso ", "kept\n"):
        assert stream.write(piece) == len(piece)
    assert out.getvalue() == "kept\nalso kept\n"


@given(st.lists(st.text(alphabet="[A] x\n\r", max_size=12), max_size=30), st.sets(st.integers(0, 29)))
def test_a_stream_without_rules_changes_nothing(pieces: list[str], flushed: set[int]) -> None:
    """Whatever is written, in whatever pieces and with whatever flushes, comes out unchanged."""
    out = Out()
    stream = LogThrottle({}).stream(out)
    for index, piece in enumerate(pieces):
        stream.write(piece)
        if index in flushed:
            stream.flush()
    stream.flush()
    assert out.getvalue() == "".join(pieces)


@given(
    st.lists(st.sampled_from(["[A] a\n", "b\n", "[A] c\r\n", "\rd", "\r[A] e", "\n"]), max_size=20), st.data()
)
def test_cuts_do_not_matter(parts: list[str], data: st.DataObject) -> None:
    """The same text written whole or in pieces gives the same output and the same counts."""
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    results = []
    for bounds in ([], cuts):
        out = Out()
        throttle = LogThrottle({"A": Share(50)})
        stream = throttle.stream(out)
        for left, right in zip([0, *bounds], [*bounds, len(text)], strict=True):
            stream.write(text[left:right])
        stream.flush()
        results.append((out.getvalue(), throttle.counts()))
    assert results[0] == results[1]


def test_a_flush_releases_a_partial_line_and_the_rest_follows() -> None:
    """A prompt appears at the flush; a dropped line's tail stays dropped; the next line is judged anew."""
    out = Out()
    throttle = LogThrottle(DROP_A)
    stream = throttle.stream(out)
    print("loading", end="", file=stream)
    assert out.getvalue() == ""
    stream.flush()
    assert out.getvalue() == "loading"
    print(" … done", file=stream)
    print("[A] head", end="", file=stream, flush=True)
    print(" [B] tail", file=stream)
    print("next", file=stream)
    assert out.getvalue() == "loading … done\nnext\n"
    assert throttle.counts()["A"].seen == 1


@pytest.mark.parametrize("style", ["\r{:3d} %", "{:3d} %\r"])
def test_a_progress_bar_is_redrawn_and_can_be_throttled(style: str) -> None:
    """Each state of a bar is a line: all appear without a rule, a tenth of them with one."""
    for default, shown in ((None, 100), ("10 %", 10)):
        out = Out()
        throttle = LogThrottle({}, default=default)
        stream = throttle.stream(out)
        for percent in range(100):
            print(style.format(percent), end="", file=stream, flush=True)
        assert out.getvalue().count("%") == shown
        assert throttle.counts()["(untagged)"].passed in (shown, shown + 1)  # and the last carriage return


def test_a_dropped_line_does_not_flush() -> None:
    """``print(..., flush=True)`` of a dropped line costs no flush below, where a notebook would wait."""
    out = Out()
    stream = LogThrottle(DROP_A).stream(out)
    print("kept", file=stream, flush=True)
    before = out.flushes
    for _ in range(50):
        print("[A] dropped", file=stream, flush=True)
    assert out.flushes == before
    print("kept", file=stream, flush=True)
    assert out.flushes == before + 1


def test_a_stream_that_flushes_itself_is_not_waited_for() -> None:
    """In a notebook no ``print(..., flush=True)`` of a whole line flushes; every other flush does."""
    out = Out()
    out.flush_interval = 0.2  # what tells ipykernel's stream from others
    stream = LogThrottle(DROP_A).stream(out)
    for number in range(50):
        print("kept", number, file=stream, flush=True)
        print("[A] dropped", file=stream, flush=True)
    assert (out.flushes, out.getvalue().count("\n")) == (0, 50)
    stream.flush()  # as the kernel does at the end of a cell
    assert out.flushes == 1
    print("prompt: ", end="", file=stream, flush=True)
    assert out.flushes == 2
    stream.write("logged\n")
    stream.flush()  # as a logging handler does
    assert out.flushes == 3


def test_one_line_is_one_write() -> None:
    """A print of several arguments reaches the wrapped stream as one write."""
    out = Out()
    print("a", 1, 2.5, file=LogThrottle(DROP_A).stream(out))
    assert out.writes == 1


def test_a_continuation_goes_with_its_line() -> None:
    """An indented line with a mark shares the fate of the tagged line above; indented words do not."""
    out = Out()
    throttle = LogThrottle({"BC UPDATE": OnChange("phase")})
    stream = throttle.stream(out)
    for phase in (0, 0, 1):
        print(f"[BC UPDATE] left → phase {phase} RED\n  └─ Inflow state: rho_m=0.3\n   loss 0.5", file=stream)
    assert [line.strip()[:8] for line in out.getvalue().splitlines()] == [
        *("[BC UPDA", "└─ Inflo", "loss 0.5"),
        "loss 0.5",
        *("[BC UPDA", "└─ Inflo", "loss 0.5"),
    ]
    assert throttle.counts()["BC UPDATE"].seen == 6


def test_bare_spellings_are_found() -> None:
    """``GPU memory: …`` and ``State hashes = …`` go by their rules; a sentence that begins so does not."""
    out = Out()
    throttle = LogThrottle()
    stream = throttle.stream(out)
    for _ in range(20):
        print("GPU memory: 812 MiB", file=stream)
        print("State hashes = 9f2c", file=stream)
        print("  [gpu-memory] 812 MiB", file=stream)
    print("GPU memory is short", file=stream)
    assert throttle.counts()["GPU_MEMORY"].passed == 4
    assert throttle.counts()["STATE_HASH"].dropped == 20
    assert out.getvalue().endswith("GPU memory is short\n")


def test_brackets_without_a_rule_are_untagged() -> None:
    """``[0.31]``, ``[INFO]`` and an unclosed bracket pass and share one count."""
    out = Out()
    throttle = LogThrottle()
    stream = throttle.stream(out)
    print("[0.31]\n[INFO] hello\n[unclosed", file=stream)
    assert out.getvalue().count("\n") == 3
    assert throttle.counts()["(untagged)"].passed == 3


def test_threads_do_not_tear_each_others_lines() -> None:
    """Lines written in two pieces by four threads come out whole."""
    out = Out()
    stream = LogThrottle(DROP_A).stream(out)
    start = threading.Barrier(4)

    def work(name: str) -> None:
        start.wait()
        for number in range(500):
            stream.write(f"{name}{name}")
            stream.write(f"{name} {number}\n")

    threads = [threading.Thread(target=work, args=(name,)) for name in "wxyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = out.getvalue().splitlines()
    assert sorted(lines) == sorted(f"{name * 3} {number}" for name in "wxyz" for number in range(500))


def test_a_long_line_without_an_end_is_not_held_for_ever() -> None:
    """A million dots without a line end appear as they come and are held in bounded memory."""
    out = Out()
    stream = LogThrottle(DROP_A).stream(out)
    for _ in range(100_000):
        stream.write("..........")
    assert len(out.getvalue()) > 980_000


def test_everything_else_is_the_wrapped_streams() -> None:
    """Encoding, file number, terminal and unknown attributes are those of the stream below."""
    stream = LogThrottle().stream(sys.__stdout__)
    assert stream.encoding == sys.__stdout__.encoding
    assert stream.isatty() == sys.__stdout__.isatty()
    assert stream.fileno() == sys.__stdout__.fileno()
    assert stream.writable()
    with pytest.raises(AttributeError, match="no_such"):
        _ = stream.no_such
    with pytest.raises(TypeError, match="must be str"):
        stream.write(b"bytes")  # type: ignore[arg-type]


def test_writelines_and_close_release_everything() -> None:
    """Lines given together are judged one by one; closing writes what was held and closes below."""
    with io.StringIO() as keep:
        out = Out()
        stream = LogThrottle(DROP_A).stream(out)
        stream.writelines(["[A] no\n", "yes\n", "tail"])
        stream.release()
        keep.write(out.getvalue())
        stream.close()
        assert out.closed
        assert keep.getvalue() == "yes\ntail"


def test_bytes_are_counted_in_utf8() -> None:
    """``é`` counts two bytes, dropped or passed."""
    throttle = LogThrottle({"A": EveryN(2, "calls")})
    stream = throttle.stream(Out())
    stream.write("[A] é\n[A] éé\n")
    counts = throttle.counts()["A"]
    assert (counts.bytes_passed, counts.bytes_dropped) == (7, 9)
