"""The list of an output is whole, whatever number of pages it takes, and names nothing that leaves its folder."""

import pytest

from kit.errors import RemoteError, UsageError
from kit.remote.kernel_ref import KernelRef, split_target
from kit.remote.output_listing import OutputListing, list_output
from kit.remote.output_run import NothingLeftError, OutputRun, run_in, runs_in
from tests.remote.conftest import SLUG, Loopback
from tests.remote.kaggle_server import Plan


@pytest.fixture
def ref(loopback: Loopback) -> KernelRef:
    """The kernel of these tests."""
    return KernelRef(loopback.server.user, SLUG, "walk")


def test_every_page_is_read(loopback, ref):
    """1,200 files and the log."""
    loopback.server.misbehave.add_files(1_200)
    loopback.ran(Plan(files={"a.bin": b"a"}))
    found = loopback.client().output(ref)
    assert len(found.files) == 1_201
    assert "first" in found.log


def test_a_listing_that_does_not_end_is_an_error(loopback, ref):
    """The same page twice is not asked for a third time."""
    loopback.server.misbehave.add_files(1_200)
    loopback.ran(Plan())
    loopback.server.misbehave.repeat_page(times=None)
    with pytest.raises(RemoteError, match="does not end"):
        loopback.client().output(ref)


def test_an_answer_that_breaks_off_is_asked_for_again(loopback, ref):
    """Half a list is none."""
    loopback.ran(Plan(files={"a.bin": b"a"}))
    misbehave = loopback.server.misbehave
    for misbehaviour in (misbehave.cut_answer, misbehave.fail_before):
        misbehaviour(times=1, call="ListKernelSessionOutput")
        assert list(loopback.client().output(ref).files) == ["a.bin"]
    assert loopback.waited == [2.0, 2.0]


def test_a_name_that_leads_out_of_the_folder_is_left_out():
    """Whatever the service says."""
    names = ["../up.txt", "/etc/passwd", "a/../../b", "fine/a.txt"]
    page = {"files": [{"fileName": name, "url": "https://x/y"} for name in names]}
    found = list_output(lambda *_: page, KernelRef("a", "b"))
    assert list(found.files) == ["fine/a.txt"]
    assert found.left_out == names[:3]


def test_what_is_no_list_of_files_is_an_error():
    """It is not taken for an empty one."""
    with pytest.raises(RemoteError, match="something else than files"):
        list_output(lambda *_: {"files": ["a.txt"]}, KernelRef("a", "b"))
    assert list_output(lambda *_: {}, KernelRef("a", "b")) == OutputListing()


def test_the_run_is_found_among_other_files():
    """A quick test, what was moved aside, and files inside of a run are none; its step is that of its checkpoints."""
    names = [
        "notes.txt",
        "runs/walk/run.json",
        "runs/walk/artifacts.zip",
        "runs/walk/checkpoints/step-000000011/manifest.json",
        "runs/walk/checkpoints/step-000000020/tensors.safetensors",
        "runs/walk/.kit/lock",
        "runs/walk-quick/run.json",
        "runs/walk.old-1/run.json",
    ]
    (run,) = runs_in(names)
    assert (run.root, run.archived, run.step) == ("runs/walk", True, 11)
    assert run.name("run.json") == "runs/walk/run.json"
    assert "artifacts.zip" not in run.loose()
    assert ".kit/lock" not in run.loose()
    assert run_in(names, "", "it") == run
    assert runs_in(["run.json"]) == [OutputRun("", ("run.json",))]


def test_no_run_and_several_are_told_apart():
    """Of several the one of the notebook's name is meant."""
    names = ["runs/a/run.json", "runs/b/run.json"]
    assert run_in(names, "b", "it").root == "runs/b"
    with pytest.raises(UsageError, match="runs/a, runs/b"):
        run_in(names, "c", "it")
    with pytest.raises(NothingLeftError, match="left no run"):
        run_in(["a.txt"], "a", "it")


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("me/my-walk", ("me", "my-walk", "")),
        ("https://www.kaggle.com/code/me/my-walk", ("me", "my-walk", "")),
        ("me/traffic-signal", ("me", "traffic-signal", "traffic_signal")),
        ("traffic_signal", ("", "traffic-signal", "traffic_signal")),
        ("traffic-signal", ("", "traffic-signal", "traffic_signal")),
    ],
)
def test_a_kernel_is_named_in_several_ways(target, found):
    """As owner/slug, by its address, by the notebook's name, by its slug."""
    assert split_target(target) == found


@pytest.mark.parametrize("target", ["a/b/c", "no such thing", "a/", "/b", "../x"])
def test_what_names_no_kernel_is_refused(target):
    """With the legal forms."""
    with pytest.raises(UsageError, match="OWNER/SLUG"):
        split_target(target)
