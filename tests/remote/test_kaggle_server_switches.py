"""The loopback Kaggle: each switch does what it says, as often as it says, and to nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.kaggle_server import (
    WEEKLY_QUOTA,
    Cli,
    KaggleServer,
    Machine,
    ask,
    fetch,
    kernel_folder,
    push,
    status,
)

NAMED = {"kernelSlug": "a-notebook"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KaggleServer]:
    """A server on which every switch that a test sets is used up."""
    with KaggleServer(tmp_path / "kaggle", Machine()) as server:
        yield server
    assert server.misbehave.left() == []


@pytest.fixture
def kaggle(server: KaggleServer, tmp_path: Path) -> Cli:
    """The CLI with a valid token."""
    return Cli(server, tmp_path / "home")


def test_a_push_is_refused_so_many_times(server: KaggleServer):
    """The answer has the error and no version; the next push after them is taken."""
    server.misbehave.refuse_push(times=2)
    answers = [push(server) for _ in range(3)]
    assert answers[:2] == [{"error": WEEKLY_QUOTA}] * 2
    assert answers[2]["versionNumber"] == 1


@pytest.mark.parametrize("retry_after", [None, 7, "Sat, 21 Nov 2026 12:00:00 GMT"])
def test_throttling_may_say_for_how_long(server: KaggleServer, retry_after: str | float | None):
    """429 for the calls that were named, with Retry-After where one is given."""
    server.misbehave.throttle(call="GetAccelerator", retry_after=retry_after)
    assert push(server)["versionNumber"] == 1
    throttled = ask(server, "kernels", "GetAcceleratorQuotaStatistics")
    assert (throttled.code, throttled.json["code"]) == (429, 429)
    assert throttled.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
    assert ask(server, "kernels", "GetAcceleratorQuotaStatistics").code == 200


def test_the_cli_does_not_try_again_what_was_throttled(kaggle: Cli, server: KaggleServer):
    """A throttled status is an exit code of 1 at once, with the message on stderr."""
    push(server)
    server.misbehave.throttle(call="GetKernelSessionStatus")
    told = kaggle("kernels", "status", "tester/a-notebook")
    assert (told.returncode, "Too many requests" in told.stderr) == (1, True)
    assert len(server.calls("GetKernelSessionStatus")) == 1


@pytest.mark.slow
def test_a_failing_token_check_ends_the_cli_with_a_traceback(kaggle: Cli, server: KaggleServer):
    """The CLI asks twice whether the token is good, and does not catch the second error."""
    server.misbehave.fail(times=2, call="IntrospectToken", code=502)
    told = kaggle("quota")
    assert (told.returncode, "Traceback" in told.stderr) == (1, True)
    assert [call.code for call in server.calls()] == [502, 502]


def test_a_push_may_succeed_without_an_answer(kaggle: Cli, server: KaggleServer, tmp_path: Path):
    """The connection breaks after the push was carried out: the CLI fails, and a session runs and is paid."""
    server.misbehave.lose_answer()
    told = kaggle("kernels", "push", "-p", kernel_folder(tmp_path / "kernel"))
    assert (told.returncode, "Remote end closed connection without response" in told.stderr) == (1, True)
    assert server.wait("a-notebook").number == 1


def test_an_answer_may_break_off(kaggle: Cli, server: KaggleServer):
    """Half of it arrives, though the call was carried out: an exit code of 1."""
    push(server)
    server.misbehave.cut_answer(call="GetKernelSessionStatus")
    told = kaggle("kernels", "status", "tester/a-notebook")
    assert (told.returncode, "IncompleteRead" in told.stderr) == (1, True)


def test_the_load_balancer_answers_in_html(server: KaggleServer):
    """502 and a page, not JSON, whatever was called."""
    server.misbehave.fail_before(times=2)
    heard = [
        ask(server, "kernels", "GetAcceleratorQuotaStatistics"),
        fetch(server, f"{server.url}/storage/x?a=b"),
    ]
    assert [(one.code, one.headers["Content-Type"][:9]) for one in heard] == [(502, "text/html")] * 2


def test_a_new_kernel_may_be_denied_at_first(server: KaggleServer):
    """Right after a first push the service says 403, as for a kernel that is not there."""
    server.misbehave.deny_new(times=2)
    push(server)
    codes = [ask(server, "kernels", "GetKernelSessionStatus", NAMED).code for _ in range(3)]
    assert codes == [403, 403, 200]


def test_a_status_may_be_late(server: KaggleServer):
    """It stays what it was for so many answers after it has changed."""
    server.hold_queue()
    push(server)
    seen = [status(server, "a-notebook")]
    server.misbehave.report_late(times=2)
    server.release_queue()
    server.wait("a-notebook")
    seen += [status(server, "a-notebook") for _ in range(3)]
    assert seen == ["QUEUED", "QUEUED", "QUEUED", "COMPLETE"]


def test_a_call_may_hang(server: KaggleServer):
    """It gets no answer as long as the server is there; others do."""
    server.misbehave.hang(call="GetKernelSessionStatus")
    push(server)
    server.wait("a-notebook")

    def hang() -> None:
        with pytest.raises(ConnectionError):
            ask(server, "kernels", "GetKernelSessionStatus", NAMED)

    hanging = threading.Thread(target=hang)
    hanging.start()
    server.until(lambda: server.misbehave.left() == [])
    assert status(server, "a-notebook") == "COMPLETE"
    assert hanging.is_alive()
    server.closing.set()
    hanging.join()


def test_a_switch_can_be_set_for_good_and_undone(server: KaggleServer):
    """Without a number it stays until the server is told to behave."""
    server.misbehave.fail(times=None, call="GetAccelerator", code=500)
    codes = [ask(server, "kernels", "GetAcceleratorQuotaStatistics").code for _ in range(5)]
    server.misbehave.clear()
    assert (codes, ask(server, "kernels", "GetAcceleratorQuotaStatistics").code) == ([500] * 5, 200)
