"""A kernel is waited for until it has ended, and an end that is the one before is not believed."""

import pytest

from kit.errors import RemoteError
from kit.harness.clock import ManualClock
from kit.remote.client import KaggleClient
from kit.remote.kernel_ref import KernelRef
from kit.remote.logs import show_logs
from kit.remote.outcome import exit_code_of, exit_code_of_run, kernel_outcome
from kit.remote.waiting import Waiting
from tests.remote.conftest import SLUG, Loopback
from tests.remote.kaggle_server import Plan
from tests.remote.kaggle_server.session import live_log
from tests.remote.made_runs import KILLED_AT, files_of


@pytest.fixture
def ref(loopback: Loopback) -> KernelRef:
    """The kernel of these tests."""
    return KernelRef(loopback.server.user, SLUG, "walk")


def waiting(loopback: Loopback, clock: ManualClock, told: list[str]) -> tuple[KaggleClient, Waiting]:
    """Return a client, and what waits with it by a clock that each wait advances."""
    client = loopback.client()

    def pause(seconds: float) -> None:
        clock.advance(seconds)
        loopback.pause(seconds)

    object.__setattr__(client.backoff, "pause", pause)
    return client, Waiting(client, 30.0, told.append, clock)


@pytest.mark.slow
def test_an_old_end_is_not_believed_after_a_push(loopback, ref):
    """Kaggle tells late: two answers are of the version before, then it runs, then it has ended."""
    clock, told = ManualClock(), []
    loopback.ran(Plan(status="ERROR"))
    client, wait = waiting(loopback, clock, told)
    client.status(ref)
    loopback.server.misbehave.report_late(times=2)
    loopback.ran(Plan(status="COMPLETE"))
    assert wait.until_ended(ref, clock.wall()).state == "COMPLETE"
    assert told[-1] == f"{ref}: COMPLETE"


@pytest.mark.slow
def test_a_kernel_that_is_denied_at_first_is_waited_for(loopback, ref):
    """As the service does right after a first push."""
    clock, told = ManualClock(), []
    loopback.server.misbehave.deny_new(times=2)
    loopback.ran(Plan())
    _, wait = waiting(loopback, clock, told)
    assert wait.until_ended(ref, clock.wall()).state == "COMPLETE"


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        ("COMPLETE", "complete", 0),
        ("COMPLETE", "stopped", 4),
        ("CANCEL_ACKNOWLEDGED", "killed", 4),
        pytest.param("ERROR", "killed", 1, marks=pytest.mark.slow),
        pytest.param("COMPLETE", None, 0, marks=pytest.mark.slow),
        pytest.param("CANCEL_ACKNOWLEDGED", None, 1, marks=pytest.mark.slow),
    ],
)
def test_the_exit_code_is_that_of_the_run_and_not_of_the_notebook(loopback, runs, ref, status, state, code):
    """A notebook that came to its end may have stopped its run in time; one that was cancelled may be continued."""
    loopback.ran(Plan(status=status, files=files_of(runs[state]) if state else {}))
    found = kernel_outcome(loopback.client(), ref)
    assert exit_code_of(found) == code
    assert (found["run"] is not None) == (state is not None)
    if state == "killed":
        assert found["run"]["step"] < KILLED_AT  # the summary is the session's before it


def test_a_finished_log_is_shown_with_times_and_progress(loopback, ref, noted):
    """Lines that records cut are whole again."""
    lines, tell = noted
    loopback.ran(Plan(lines=("kit: step 10 of 40 (25%), roll", "out, 20s left\n", "the end\n")))
    found = show_logs(loopback.client(), ref, tell)
    assert lines == ["      0.5s  kit: step 10 of 40 (25%), rollout, 20s left", "      2.5s  the end"]
    assert found["progress"] == {"step": 10, "total": 40, "phase": "rollout", "left": "20s"}
    assert found["kernel_status"] == "COMPLETE"


@pytest.mark.slow
def test_a_living_log_is_followed_over_broken_connections(loopback, ref, noted):
    """Every line once, although the client begins anew each time."""
    lines, tell = noted
    loopback.machine.plan(Plan(held=True, lines=("one\n", "two\n", "three\n")))
    server = loopback.server
    request = {"slug": str(ref), "newTitle": SLUG, "text": "{}", "kernelType": "notebook"}
    server.kernels.save(server.user, request)
    server.until(lambda: server.kernel(SLUG).version().status == "RUNNING")
    server.until(lambda: live_log(server.kernel(SLUG).version().session.order.out, str(ref)).exists())
    server.misbehave.cut_log(times=2, after=2)

    def tell_and_finish(line: str) -> None:
        tell(line)
        if line == "three":
            loopback.machine.finish()

    found = show_logs(loopback.client(), ref, tell_and_finish, follow=True)
    assert lines == ["one", "two", "three"]
    assert found["kernel_status"] == "COMPLETE"


@pytest.mark.slow
def test_an_end_other_than_the_one_before_is_believed_at_once(loopback, ref):
    """So is the end of a first version; the same end as before only after two minutes."""
    clock, told = ManualClock(), []
    loopback.ran(Plan(status="ERROR"))
    _, wait = waiting(loopback, clock, told)
    began = clock.wall()
    for former, waited in (("COMPLETE", 0), ("", 0), ("ERROR", 120), (None, 120)):
        pushed = clock.wall()
        assert wait.until_ended(ref, pushed, former).state == "ERROR"
        assert clock.wall() - pushed == waited
    assert clock.wall() - began == 240


@pytest.mark.slow
def test_a_wait_of_hours_outlives_minutes_without_a_network(loopback, ref):
    """It says so, and goes on; after half an hour it says that the run goes on."""
    clock, told = ManualClock(), []
    loopback.ran(Plan())
    _, wait = waiting(loopback, clock, told)
    loopback.server.misbehave.fail(times=7, call="GetKernelSessionStatus")
    assert wait.until_ended(ref, clock.wall(), "").state == "COMPLETE"
    assert [line for line in told if "goes on at Kaggle, and is asked for again" in line]
    loopback.server.misbehave.fail(times=None, call="GetKernelSessionStatus")
    object.__setattr__(wait, "every_s", 900.0)
    with pytest.raises(RemoteError, match="It goes on at Kaggle; `status"):
        wait.until_ended(ref, clock.wall(), "")


@pytest.mark.slow
def test_a_wait_shows_what_the_run_says_of_itself(loopback, ref):
    """As it comes, each step once."""
    clock, told = ManualClock(), []
    lines = ("kit: step 10 of 40 (25%), rollout\n", "noise\n", "kit: step 20 of 40 (50%), update, 20s left\n")
    loopback.machine.plan(Plan(held=True, lines=lines))
    server = loopback.server
    request = {"slug": str(ref), "newTitle": SLUG, "text": "{}", "kernelType": "notebook"}
    server.kernels.save(server.user, request)
    server.until(lambda: server.kernel(SLUG).version().status == "RUNNING")
    server.until(lambda: live_log(server.kernel(SLUG).version().session.order.out, str(ref)).exists())
    _, wait = waiting(loopback, clock, told)

    def tell_and_finish(line: str) -> None:
        told.append(line)
        if "20 of 40" in line:
            loopback.machine.finish()

    object.__setattr__(wait, "tell", tell_and_finish)
    assert wait.until_ended(ref, clock.wall(), "").state == "COMPLETE"
    assert told == [
        f"{ref}: RUNNING",
        f"{ref}: step 10 of 40, rollout",
        f"{ref}: step 20 of 40, update, 20s left",
        f"{ref}: COMPLETE",
    ]


@pytest.mark.parametrize(
    ("state", "status", "reason", "code"),
    [
        ("COMPLETE", "complete", "", 0),
        ("ERROR", "complete", "", 1),
        ("ERROR", "stopped", "hard_deadline", 6),
        ("CANCEL_ACKNOWLEDGED", "complete", "", 0),
        ("CANCEL_ACKNOWLEDGED", "failed", "", 4),
        ("COMPLETE", "stopped", "", 4),
        ("COMPLETE", "failed", "", 1),
    ],
)
def test_status_and_push_end_with_the_same_code(state, status, reason, code):
    """A notebook that failed has failed, whatever its run says."""
    run = {"status": status, "reason": reason}
    assert exit_code_of({"kernel_status": state, "run": run, "checkpoints": True}) == code
    assert exit_code_of_run({"kernel_status": state, **run, "ok": True, "resumable": True}) == code
    assert exit_code_of_run({"kernel_status": state, **run, "ok": False, "resumable": True}) == 5


@pytest.mark.slow
def test_a_progress_line_in_two_records_is_read_whole(loopback, ref, noted):
    """The client ends a line where a record ends."""
    lines, tell = noted
    cut = ("kit: step 10 of 40 (25%), roll", "out, 20s left\n", "three\n")
    loopback.machine.plan(Plan(held=True, lines=cut))
    server = loopback.server
    request = {"slug": str(ref), "newTitle": SLUG, "text": "{}", "kernelType": "notebook"}
    server.kernels.save(server.user, request)
    server.until(lambda: server.kernel(SLUG).version().status == "RUNNING")
    server.until(lambda: live_log(server.kernel(SLUG).version().session.order.out, str(ref)).exists())

    def tell_and_finish(line: str) -> None:
        tell(line)
        if line == "three":
            loopback.machine.finish()

    found = show_logs(loopback.client(), ref, tell_and_finish, follow=True)
    assert found["progress"] == {"step": 10, "total": 40, "phase": "rollout", "left": "20s"}
    assert lines == ["kit: step 10 of 40 (25%), roll", "out, 20s left", "three"]
