"""The real command line as a process: its failures are errors, its successes are believed for their words only."""

import json
import logging
from pathlib import Path

import pytest

from kit.errors import CredentialsError, QuotaError, RemoteBusyError, RemoteError
from kit.harness.clock import SYSTEM_CLOCK
from kit.remote import client as client_module
from kit.remote.backoff import GivenUpError, PassingError
from kit.remote.client import KaggleClient
from kit.remote.delivery import deliver, new_mark, put_mark, refuse_busy, was_taken
from kit.remote.kaggle_process import KaggleProcess
from kit.remote.kernel_ref import KernelRef
from kit.remote.replies import AbsentError, KernelStatus, Pushed, SourcesError
from kit.remote.scrub import Scrubber
from kit.remote.upload_limit import upload_limit_s
from tests.remote.conftest import CODE, SLUG, Loopback
from tests.remote.kaggle_server import Plan


@pytest.fixture
def ref(loopback: Loopback) -> KernelRef:
    """The kernel of these tests."""
    return KernelRef(loopback.server.user, SLUG, "walk")


def built(loopback: Loopback, folder: Path, **more: object) -> Path:
    """Write the smallest kernel that can be pushed."""
    folder.mkdir()
    facts = {
        "id": f"{loopback.server.user}/{SLUG}",
        "title": SLUG,
        "code_file": "walk.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_internet": False,
    }
    (folder / "kernel-metadata.json").write_text(json.dumps(facts | more))
    (folder / "walk.ipynb").write_text(CODE)
    return folder


def marked(loopback: Loopback, folder: Path, **more: object) -> str:
    """Write a kernel with a new mark, and return that."""
    mark = new_mark()
    put_mark(built(loopback, folder, **more), mark)
    return mark


@pytest.mark.parametrize("credentials", ["token", "token file", "key", "key file"])
def test_the_account_is_known_by_all_its_credentials(loopback, credentials):
    """Its name is the owner of what is pushed."""
    assert loopback.client(credentials).username() == loopback.server.user


@pytest.mark.parametrize(
    ("credentials", "named"),
    [
        ("none", "There are no Kaggle credentials here"),
        ("wrong token", "access token in the variable KAGGLE_API_TOKEN"),
        ("expired token", "access token in the variable KAGGLE_API_TOKEN"),
        ("revoked token", "access token in the variable KAGGLE_API_TOKEN"),
        ("wrong key", "user name and key in the variables"),
    ],
)
def test_credentials_that_nobody_knows_are_named(loopback, ref, credentials, named, caplog):
    """Which ones, that they are refused, and what to do; never what they are."""
    with pytest.raises(CredentialsError, match=named) as caught:
        loopback.client(credentials).status(ref)
    assert "kaggle.com/settings" in str(caught.value)
    for secret in loopback.server.account.secrets():
        assert secret not in str(caught.value) + caplog.text
    assert loopback.waited == []


def test_own_calls_refuse_the_same_credentials(loopback, ref):
    """What is fetched without the command line says the same."""
    with pytest.raises(CredentialsError, match="wrong, revoked or expired"):
        loopback.client("revoked token").output(ref)


def test_a_kernel_that_is_not_there_is_absent(loopback, ref):
    """For status and source alike; Kaggle does not tell it from one that is another's."""
    for ask in (loopback.client().status, loopback.client().source):
        with pytest.raises(AbsentError):
            ask(ref)


def test_an_error_status_is_one_although_its_exit_code_is_0(loopback, ref):
    """With its message."""
    loopback.ran(
        Plan(status="ERROR", failure_message="Your notebook tried to allocate more memory than is available")
    )
    status = loopback.client().status(ref)
    assert status == KernelStatus("ERROR", "Your notebook tried to allocate more memory than is available")


@pytest.mark.slow
def test_too_many_requests_are_waited_for(loopback, ref):
    """The call comes through at last, and every wait is noted in the log."""
    loopback.ran(Plan())
    loopback.server.misbehave.throttle(times=2, call="GetKernelSessionStatus")
    assert loopback.client().status(ref).state == "COMPLETE"
    assert loopback.waited == [2.0, 4.0]


@pytest.mark.slow
def test_a_service_that_is_down_is_given_up_in_the_end(loopback, ref):
    """Six attempts, then an error with its words."""
    loopback.ran(Plan())
    loopback.server.misbehave.fail(times=None, call="GetKernelSessionStatus")
    with pytest.raises(RemoteError, match="Tried 6 times"):
        loopback.client().status(ref)
    assert len(loopback.waited) == 5


def test_a_push_is_taken_once_and_carries_its_mark(loopback, ref, tmp_path):
    """The session limit is asked for, and the source on Kaggle has the mark."""
    client = loopback.client()
    mark = marked(loopback, tmp_path / "kernel")
    assert not was_taken(client, ref, mark)
    assert deliver(client, ref, tmp_path / "kernel", mark, 3600.0).version == 1
    loopback.server.wait(SLUG)
    assert loopback.machine.ran[0].limit_s == 3600
    assert was_taken(client, ref, mark)
    assert refuse_busy(client, ref) == KernelStatus("COMPLETE")


def test_a_push_whose_answer_is_lost_is_not_made_twice(loopback, ref, tmp_path):
    """It is looked for on Kaggle, and found."""
    loopback.server.misbehave.lose_answer(times=1, call="SaveKernel")
    mark = marked(loopback, tmp_path / "kernel")
    deliver(loopback.client(), ref, tmp_path / "kernel", mark, None)
    loopback.server.wait(SLUG)
    assert len(loopback.machine.ran) == 1


@pytest.mark.slow
def test_a_first_push_whose_answer_is_lost_is_not_made_twice_although_kaggle_denies_it(
    loopback, ref, tmp_path
):
    """A kernel that is new may be denied for two minutes: it is not taken for one that is not there."""
    loopback.server.misbehave.lose_answer(times=1, call="SaveKernel")
    loopback.server.misbehave.deny_new(times=3)
    mark = marked(loopback, tmp_path / "kernel")
    deliver(loopback.client(), ref, tmp_path / "kernel", mark, None)
    loopback.server.wait(SLUG)
    assert len(loopback.machine.ran) == 1


@pytest.mark.slow
def test_once_unsure_a_push_is_looked_for_before_every_other(loopback, ref, tmp_path):
    """The first attempt arrives late, after the second was refused for a moment."""
    client = loopback.client()
    mark = marked(loopback, tmp_path / "kernel")
    answers = [PassingError("No answer.", sure=False), PassingError("Too many requests.")]
    real = client.push

    def push(folder: Path, limit_s: float | None) -> Pushed:
        if len(answers) == 1:
            real(folder, limit_s)  # the first one, on its way until now
        raise answers.pop(0)

    client.push = push
    deliver(client, ref, tmp_path / "kernel", mark, None)
    loopback.server.wait(SLUG)
    assert len(loopback.machine.ran) == 1


@pytest.mark.slow
def test_an_unsure_push_is_not_repeated_beside_something_that_runs(loopback, ref, tmp_path):
    """Whose it is nobody can tell: nothing more is pushed."""
    loopback.ran(Plan())
    loopback.server.hold_queue()
    loopback.machine.plan(Plan())
    request = {"slug": str(ref), "newTitle": SLUG, "text": CODE, "kernelType": "notebook"}
    loopback.server.kernels.save(loopback.server.user, request)
    loopback.server.misbehave.fail(times=1, call="SaveKernel")
    mark = marked(loopback, tmp_path / "kernel")
    with pytest.raises(RemoteBusyError):
        deliver(loopback.client(), ref, tmp_path / "kernel", mark, None)
    assert len(loopback.server.calls("SaveKernel")) == 1


@pytest.mark.slow
def test_a_push_that_never_arrived_is_made_again(loopback, ref, tmp_path):
    """A server's error before anything was done: the source has no mark, so it is pushed once more."""
    loopback.server.misbehave.fail(times=1, call="SaveKernel")
    loopback.server.misbehave.throttle(times=1, call="SaveKernel")
    mark = marked(loopback, tmp_path / "kernel")
    deliver(loopback.client(), ref, tmp_path / "kernel", mark, None)
    loopback.server.wait(SLUG)
    assert len(loopback.machine.ran) == 1


def test_a_push_refused_for_quota_is_an_error_although_its_exit_code_is_0(loopback, ref, tmp_path):
    """Nothing runs, and nothing is tried again."""
    loopback.server.misbehave.refuse_push()
    mark = marked(loopback, tmp_path / "kernel")
    with pytest.raises(QuotaError, match="Maximum weekly GPU quota"):
        deliver(loopback.client(), ref, tmp_path / "kernel", mark, None)
    assert loopback.machine.ran == []


def test_a_push_that_lost_its_source_is_told(loopback, ref, tmp_path):
    """It runs without it: the caller must know."""
    mark = marked(loopback, tmp_path / "kernel", kernel_sources=["tester/gone-kernel"])
    with pytest.raises(SourcesError, match="gone-kernel"):
        deliver(loopback.client(), ref, tmp_path / "kernel", mark, None)
    loopback.server.wait(SLUG)


def test_the_quota_is_that_of_the_account(loopback):
    """In hours."""
    loopback.server.quota.charge(5400)
    quota = loopback.client().quota()
    assert quota is not None
    assert (quota.used_h, quota.left_h) == (1.5, 28.5)


@pytest.mark.slow
def test_a_dataset_is_made_then_versioned_and_keeps_one_version(loopback, tmp_path):
    """A checkpoint's older versions would only fill the account."""
    client, name = loopback.client(), f"{loopback.server.user}/walk-state"
    folder = tmp_path / "dataset"
    folder.mkdir()
    facts = {"id": name, "title": "walk-state", "licenses": [{"name": "other"}]}
    (folder / "dataset-metadata.json").write_text(json.dumps(facts))
    (folder / "state.bin").write_bytes(b"one")
    assert client.dataset_status(name) is None
    client.save_dataset(folder, "one", exists=False)
    (folder / "state.bin").write_bytes(b"two")
    loopback.server.misbehave.break_upload(times=1)
    client.save_dataset(folder, "two", exists=True)
    dataset = loopback.server.dataset("walk-state")
    assert [version.number for version in dataset.versions] == [2]
    assert (dataset.versions[0].folder / "state.bin").read_bytes() == b"two"
    assert dataset.private
    assert client.dataset_version(name) == 2


def dataset_in(folder: Path, owner: str) -> Path:
    """Write a dataset that can be uploaded."""
    folder.mkdir()
    facts = {"id": f"{owner}/walk-state", "title": "walk-state", "licenses": [{"name": "other"}]}
    (folder / "dataset-metadata.json").write_text(json.dumps(facts))
    (folder / "state.bin").write_bytes(b"state" * 1000)
    return folder


def test_an_upload_has_time_for_its_size():
    """A quarter of an hour, and a second for each half megabyte: 4 GB have less than two and a half hours."""
    assert upload_limit_s(0) == 900.0
    assert upload_limit_s(4_000_000_000) == 900.0 + 8000.0


@pytest.mark.slow
def test_an_upload_that_hangs_is_taken_up_where_it_broke(loopback, tmp_path, monkeypatch):
    """One attempt gets half of the time; the next one sends what is missing of the same upload."""
    monkeypatch.setattr(client_module, "upload_limit_s", lambda _: 40.0)
    loopback.server.misbehave.hang(times=1, call="UploadBlob")
    client = KaggleClient(
        loopback.server.environ(loopback.home), backoff=loopback.client().backoff, temporary=tmp_path / "left"
    )
    client.save_dataset(dataset_in(tmp_path / "dataset", loopback.server.user), "one", exists=False)
    assert len(loopback.server.calls("StartBlobUpload")) == 1
    assert [one.number for one in loopback.server.dataset("walk-state").versions] == [1]


@pytest.mark.slow
def test_an_upload_that_hangs_for_good_is_given_up_in_time(loopback, tmp_path, monkeypatch):
    """All attempts together have that time, not each of six."""
    monkeypatch.setattr(client_module, "upload_limit_s", lambda _: 6.0)
    loopback.server.misbehave.hang(times=None, call="UploadBlob")
    began_s = SYSTEM_CLOCK.monotonic()
    with pytest.raises(GivenUpError, match=r"upload of 5\.\d kB was not done in 6s, and is given up"):
        loopback.client().save_dataset(
            dataset_in(tmp_path / "dataset", loopback.server.user), "one", exists=False
        )
    assert SYSTEM_CLOCK.monotonic() - began_s < 12.0


@pytest.mark.slow
def test_a_dataset_that_is_refused_is_an_error_although_its_exit_code_is_0(loopback, tmp_path):
    """Created twice, the second is told to have a title in use."""
    test_a_dataset_is_made_then_versioned_and_keeps_one_version(loopback, tmp_path)
    with pytest.raises(RemoteError, match="not saved"):
        loopback.client().save_dataset(tmp_path / "dataset", "again", exists=False)


def test_nothing_secret_is_logged(loopback, ref, tmp_path, caplog):
    """Neither the token nor a signed address, at any level."""
    caplog.set_level(logging.DEBUG)
    loopback.ran(Plan(files={"a.bin": b"a"}))
    loopback.server.misbehave.throttle(times=1, call="GetKernelSessionStatus")
    loopback.server.misbehave.expire_url(times=None)
    client = loopback.client()
    client.status(ref)
    url = client.output(ref).files["a.bin"]
    with pytest.raises(RemoteError) as caught:
        client.downloads().to(tmp_path / "a.bin", lambda _: url, "a.bin")
    for secret in (loopback.server.account.token, url.partition("?")[2]):
        assert secret not in caplog.text + str(caught.value)


def test_a_stream_that_is_dead_is_left(loopback, ref):
    """It said nothing for as long as it may be silent; what it says of itself on stderr is no line."""
    loopback.server.misbehave.hang(times=None, call="StreamLog")
    process = KaggleProcess(loopback.server.environ(loopback.home), Scrubber())
    assert list(process.lines("kernels", "logs", str(ref), "--follow", silent_s=2.0)) == []
    loopback.server.misbehave.clear()
    assert list(process.lines("kernels", "logs", f"{ref}-gone", "--follow", silent_s=20.0)) == []


def test_a_version_that_is_not_told_is_none_but_refused_credentials_are_an_error(loopback):
    """Waiting for a dataset would not help."""
    assert loopback.client().dataset_version(f"{loopback.server.user}/nothing-there") is None
    with pytest.raises(CredentialsError):
        loopback.client("revoked token").dataset_version(f"{loopback.server.user}/nothing-there")
