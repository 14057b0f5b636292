"""What the client's words mean, whatever its exit code says; its sentences are those of version 2.2.4's source."""

import pytest

from kit.errors import CredentialsError, QuotaError, RemoteBusyError, RemoteError
from kit.remote.backoff import PassingError
from kit.remote.credentials import Credentials
from kit.remote.kaggle_process import CliReply
from kit.remote.replies import (
    STATES,
    AbsentError,
    GpuQuota,
    KernelStatus,
    Pushed,
    SourcesError,
    failure,
    read_push,
    read_quota,
    read_status,
)

URL = "https://www.kaggle.com/code/tester/the-walk"
TAKEN = f"Kernel version 3 successfully pushed.  Please check progress at {URL}\n"


def said(out: str = "", err: str = "", code: int = 0) -> CliReply:
    """Return a reply."""
    return CliReply(code, out, err)


def test_a_push_that_was_taken_has_a_version_and_a_page():
    """Both are read from the sentence; a version that is not told is None."""
    assert read_push(said(TAKEN)) == Pushed(3, URL)
    assert read_push(said(TAKEN.replace("version 3 ", "version "))) == Pushed(None, URL)


def test_a_warning_about_the_title_is_no_refusal():
    """The client prints it before the answer."""
    assert read_push(said("Your kernel title does not resolve to the specified id. …\n" + TAKEN)).version == 3


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        ("Maximum weekly GPU quota of 30.00 hours reached.", QuotaError),
        ("Maximum batch CPU session count of 5 reached.", RemoteBusyError),
        ("Too many requests", PassingError),
        ("Notebook not found", RemoteError),
        ("Notebook tester/gpu-quota-429 is not yours", RemoteError),
    ],
)
def test_a_refused_push_is_an_error_although_its_exit_code_is_0(why, kind):
    """Each refusal is an error of its kind, and carries Kaggle's words."""
    with pytest.raises(kind, match=why.split()[0]) as caught:
        read_push(said(f"Kernel push error: {why}\n"))
    assert type(caught.value) is kind


def test_a_push_without_its_sources_is_an_error_that_knows_what_runs():
    """Kaggle starts it all the same."""
    line = (
        "The following are not valid kernel sources and could not be added to the kernel: ['tester/gone']\n"
    )
    with pytest.raises(SourcesError, match=r"without kernel .*tester/gone") as caught:
        read_push(said(line + TAKEN))
    assert caught.value.pushed == Pushed(3, URL)


def test_words_that_tell_nothing_leave_it_open_whether_it_runs():
    """Such a push must be looked for before it is repeated."""
    with pytest.raises(PassingError) as caught:
        read_push(said("Kernel push error\n"))
    assert not caught.value.sure


@pytest.mark.parametrize("state", STATES)
def test_every_status_is_read(state):
    """In both spellings that versions of the client print."""
    for word in (state, f"KernelWorkerStatus.{state}"):
        assert read_status(said(f'tester/the-walk has status "{word}"\n')) == KernelStatus(state)


def test_a_failure_message_is_read_whole():
    """It may have lines and quotes of its own."""
    message = 'It said "no"\nand ended'
    found = read_status(said(f'a/b has status "KernelWorkerStatus.ERROR"\nFailure message: "{message}"\n'))
    assert found == KernelStatus("ERROR", message)


def test_an_unknown_status_is_an_error():
    """It is not taken for one that is known."""
    with pytest.raises(RemoteError, match="not known here"):
        read_status(said('a/b has status "KernelWorkerStatus.DREAMING"\n'))


def test_the_quota_is_read_from_its_table():
    """Hours used and granted; what is left never goes below nothing."""
    rows = ["GPU,1.50h,28.50h,30.00h,2026-11-28T00:00:00", "TPU,0.00h,20.00h,20.00h,"]
    quota = read_quota(said("\r\n".join(["resource,used,remaining,total,refreshAt", *rows, ""])))
    assert quota == GpuQuota(1.5, 30.0, "2026-11-28T00:00:00")
    assert quota.left_h == 28.5
    assert GpuQuota(31.0, 30.0).left_h == 0.0
    assert read_quota(said("No quota information available\n")) is None


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        ("401 Client Error: Unauthorized for url: http://localhost/api/v1/x", CredentialsError),
        ("requests.exceptions.HTTPError: Unauthenticated", CredentialsError),
        ("Too many requests", PassingError),
        ("503 Server Error: Service Unavailable for url: http://localhost/api/v1/x", PassingError),
        (
            "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
            PassingError,
        ),
        ("Cannot access kernel 'a/b' (Permission 'kernels.get' was denied). …", AbsentError),
        ("404 Client Error: Not Found for url: http://localhost/api/v1/x", AbsentError),
        ("Metadata file not found: x", RemoteError),
        ("Title must be at least five characters", RemoteError),
        ("404 Client Error: Not Found for url: http://localhost/api/v1/kernels/sac-500", AbsentError),
        ("Cannot access kernel 'tester/sac-500' (Permission 'kernels.get' was denied)", AbsentError),
        ("Cannot access kernel 'tester/run-429' (Permission 'kernels.get' was denied)", AbsentError),
        ("Cannot access kernel 'tester/exp-401' (Permission 'kernels.get' was denied)", AbsentError),
        ('The title "Too many requests 503" does not name a notebook of run 404', RemoteError),
        ("503 Server Error: Service Unavailable for url: http://localhost/tester/exp-401", PassingError),
    ],
)
def test_a_call_that_failed_is_an_error_of_its_kind(err, kind):
    """What passes is told from what does not."""
    error = failure(
        said(err=err, code=1), Credentials("token", "~/.kaggle/access_token", secret="x" * 20), "It"
    )
    assert type(error) is kind


def test_a_broken_connection_leaves_it_open_whether_it_was_done():
    """Too many requests were certainly not done."""
    known = Credentials("key", "kaggle.json", "tester", "k" * 20)
    assert not failure(said(err="Connection reset by peer", code=1), known, "It").sure
    assert failure(said(err="429 Client Error", code=1), known, "It").sure
