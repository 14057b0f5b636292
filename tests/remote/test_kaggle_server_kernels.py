"""The loopback Kaggle: pushes, versions, statuses and sources, as the real CLI sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.harness.clock import ManualClock
from tests.remote.kaggle_server import (
    WEEKLY_QUOTA,
    Cli,
    KaggleServer,
    Machine,
    Plan,
    Policy,
    ask,
    carry,
    kernel_folder,
    push,
    status,
)

FILES = {"metrics.csv": b"step\n1\n", "runs/a notebook/best (1).bin": bytes(range(256))}


@pytest.fixture
def clock() -> ManualClock:
    """The clock that the server and the machine go by."""
    return ManualClock()


@pytest.fixture
def machine(clock: ManualClock) -> Machine:
    """A machine on which an hour passes at once."""
    return Machine(Plan(files=FILES, takes_s=3600.0), clock=clock)


@pytest.fixture
def server(tmp_path: Path, machine: Machine, clock: ManualClock) -> Iterator[KaggleServer]:
    """A server that runs what is pushed on that machine."""
    with KaggleServer(tmp_path / "kaggle", machine, clock=clock) as server:
        yield server
    assert server.journal.strays == []


@pytest.fixture
def kaggle(server: KaggleServer, tmp_path: Path) -> Cli:
    """The CLI with a valid token."""
    return Cli(server, tmp_path / "home")


def test_the_cli_pushes_asks_and_fetches(kaggle: Cli, server: KaggleServer, machine: Machine, tmp_path: Path):
    """Push, status and output: every file arrives byte for byte, and the log as a JSON array."""
    folder = kernel_folder(tmp_path / "kernel")
    pushed = kaggle("kernels", "push", "-p", folder, "-t", "60")
    assert "Kernel version 1 successfully pushed" in pushed.stdout
    assert "tester/a-notebook" in pushed.stdout
    server.wait("a-notebook")
    asked = kaggle("kernels", "status", "tester/a-notebook")
    assert 'tester/a-notebook has status "KernelWorkerStatus.COMPLETE"' in asked.stdout
    fetched = kaggle("kernels", "output", "tester/a-notebook", "-p", tmp_path / "got")
    got = {name: (tmp_path / "got" / name).read_bytes() for name in FILES}
    log = json.loads((tmp_path / "got/a-notebook.log").read_text())
    assert got == FILES
    assert [record["data"] for record in log] == ["first\n", "second\n"]
    assert [done.returncode for done in (pushed, asked, fetched)] == [0, 0, 0]
    (ran,) = machine.ran
    assert (ran.limit_s, ran.metadata["enable_internet"], ran.metadata["is_private"]) == (60.0, False, True)
    assert json.loads(ran.code)["cells"][0]["outputs"] == [], "the CLI strips outputs, and only it can"


def test_a_failed_run_is_an_exit_code_of_zero(kaggle: Cli, server: KaggleServer, machine: Machine):
    """`kernels status` tells of an error, with its message, and exits with 0: the first lie."""
    machine.plan(
        Plan("ERROR", failure_message="Your notebook tried to allocate more memory than is available")
    )
    push(server)
    server.wait("a-notebook")
    told = kaggle("kernels", "status", "tester/a-notebook")
    assert told.returncode == 0
    assert '"KernelWorkerStatus.ERROR"' in told.stdout
    assert 'Failure message: "Your notebook tried to allocate more memory' in told.stdout


def test_a_refused_push_is_an_exit_code_of_zero(kaggle: Cli, server: KaggleServer, tmp_path: Path):
    """A push without quota prints its error on stdout, exits with 0, and makes no version."""
    server.quota.charge(30 * 3600)
    told = kaggle("kernels", "push", "-p", kernel_folder(tmp_path / "kernel", enable_gpu=True))
    assert told.returncode == 0
    assert f"Kernel push error: {WEEKLY_QUOTA}" in told.stdout
    assert server.kernels.sessions == []


def test_the_quota_is_what_sessions_with_a_gpu_took(kaggle: Cli, server: KaggleServer):
    """`kaggle quota` shows the hour of the session with a GPU, and not that of the one without."""
    for slug, gpu in (("with-a-gpu", True), ("without-one", False)):
        push(server, slug, enableGpu=gpu)
        server.wait(slug)
    gpu_line = next(line for line in kaggle("quota", "-v").stdout.splitlines() if line.startswith("GPU"))
    assert gpu_line == "GPU,1.00h,29.00h,30.00h,2026-11-28T00:00:00"


def test_a_session_is_queued_runs_and_ends(server: KaggleServer, machine: Machine):
    """QUEUED, RUNNING, COMPLETE, with no output and no log before the end."""
    machine.plan(Plan(files=FILES, held=True))
    server.hold_queue()
    push(server)
    seen = [status(server, "a-notebook")]
    server.release_queue()
    server.until(lambda: status(server, "a-notebook") != "QUEUED")
    seen.append(status(server, "a-notebook"))
    assert ask(server, "kernels", "ListKernelSessionOutput", {"kernelSlug": "a-notebook"}).json == {}
    machine.finish()
    server.wait("a-notebook")
    assert [*seen, status(server, "a-notebook")] == ["QUEUED", "RUNNING", "COMPLETE"]


def test_a_cancelled_session_says_so(server: KaggleServer, machine: Machine):
    """A running one is CANCEL_REQUESTED first; a queued one never runs."""
    machine.plan(Plan(held=True))
    push(server, "runs-already")
    server.until(lambda: status(server, "runs-already") == "RUNNING")
    server.cancel("runs-already")
    assert status(server, "runs-already") == "CANCEL_REQUESTED"
    machine.finish()
    server.hold_queue()
    push(server, "queued-still")
    server.cancel("queued-still")
    for slug in ("runs-already", "queued-still"):
        assert server.wait(slug).status == "CANCEL_ACKNOWLEDGED"
    assert len(machine.ran) == 1


def test_a_push_to_a_slug_that_runs_starts_a_second_run(server: KaggleServer, machine: Machine):
    """Both go on at once; the slug then means the newer version, a label the older."""
    machine.plan(Plan(held=True))
    assert [push(server)["versionNumber"] for _ in range(2)] == [1, 2]
    server.until(lambda: len(machine.ran) == 2)
    assert len(server.kernel("a-notebook").going()) == 2
    machine.finish(2)
    server.wait("a-notebook")
    older = ask(server, "kernels", "GetKernel", {"kernelSlug": "a-notebook", "versionLabel": "1"}).json
    assert older["metadata"]["currentVersionNumber"] == 2


def test_a_third_gpu_session_is_refused(server: KaggleServer, machine: Machine):
    """Two batch sessions with a GPU go at once, as reported; another is refused in the answer's error field."""
    machine.plan(Plan(held=True))
    answers = [push(server, f"notebook-{number}", enableGpu=True) for number in range(3)]
    assert answers[2] == {"error": "Maximum batch GPU session count of 2 reached."}
    machine.finish(2)


def test_sources_become_inputs_and_invalid_ones_stop_nothing(
    kaggle: Cli, server: KaggleServer, machine: Machine, tmp_path: Path
):
    """The newest COMPLETE version and the newest dataset are mounted; the others are printed, and the run starts."""
    machine.plan(Plan(files=FILES), Plan("CANCEL_ACKNOWLEDGED", files={"lost.txt": b"x"}), Plan())
    for _ in range(2):
        push(server, "earlier-run")
        server.wait("earlier-run")
    push(server, "cancelled-run")
    carry(server, "carried-over", {"a.txt": b"a"})
    folder = kernel_folder(
        tmp_path / "kernel",
        kernel_sources=["tester/earlier-run", "tester/no-such-run"],
        dataset_sources=["tester/carried-over", "tester/nothing-there"],
    )
    told = kaggle("kernels", "push", "-p", folder)
    server.wait("a-notebook")
    inputs = machine.ran[-1].inputs
    assert sorted(inputs) == ["carried-over", "earlier-run"]
    assert (inputs["earlier-run"] / "metrics.csv").read_bytes() == FILES["metrics.csv"]
    assert (inputs["carried-over"] / "a.txt").read_bytes() == b"a"
    assert (
        "not valid kernel sources and could not be added to the kernel: ['tester/no-such-run']" in told.stdout
    )
    assert (
        "not valid dataset sources and could not be added to the kernel: ['tester/nothing-there']"
        in told.stdout
    )
    assert "Kernel version 1 successfully pushed" in told.stdout


@pytest.mark.parametrize("mounts", [False, True])
def test_only_what_completed_can_be_mounted(tmp_path: Path, mounts: bool):
    """The output of a cancelled version is no source, unless the policy says that it is."""
    machine = Machine(Plan("CANCEL_ACKNOWLEDGED", files=FILES), Plan())
    with KaggleServer(tmp_path, machine, policy=Policy(mounts_cancelled_output=mounts)) as server:
        push(server, "cancelled-run")
        server.wait("cancelled-run")
        answer = push(server, kernelDataSources=["tester/cancelled-run"])
        server.wait("a-notebook")
    assert ("invalidKernelSources" in answer) is not mounts
    assert ("cancelled-run" in machine.ran[1].inputs) is mounts


def test_mounts_may_carry_kind_and_owner(tmp_path: Path):
    """The other form that was seen: notebooks/<owner>/<slug> below /kaggle/input."""
    machine = Machine()
    with KaggleServer(tmp_path, machine, policy=Policy(owner_in_mounts=True)) as server:
        push(server, "earlier-run")
        server.wait("earlier-run")
        push(server, kernelDataSources=["tester/earlier-run"])
        server.wait("a-notebook")
    assert list(machine.ran[1].inputs) == ["notebooks/tester/earlier-run"]


def test_the_output_of_a_cancelled_run_may_be_lost(tmp_path: Path):
    """Reports differ, so both can be had: here nothing of it is listed."""
    machine = Machine(Plan("CANCEL_ACKNOWLEDGED", files=FILES))
    with KaggleServer(tmp_path, machine, policy=Policy(keeps_cancelled_output=False)) as server:
        push(server)
        server.wait("a-notebook")
        listed = ask(server, "kernels", "ListKernelSessionOutput", {"kernelSlug": "a-notebook"}).json
    assert listed["files"] == []


def test_a_new_kernel_gets_the_slug_of_its_title(kaggle: Cli, server: KaggleServer, tmp_path: Path):
    """The id of the metadata is then denied, which the CLI words as a missing permission."""
    folder = kernel_folder(tmp_path / "kernel", title="Something else: 2nd try")
    assert "does not resolve to the specified id" in kaggle("kernels", "push", "-p", folder).stdout
    assert server.wait("something-else-2nd-try").status == "COMPLETE"
    denied = kaggle("kernels", "status", "tester/a-notebook")
    assert denied.returncode == 1
    assert "Permission 'kernels.get' was denied" in denied.stderr


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"text": "x" * 1_000_000}, 400, "The kernel source must be less than 1 megabytes in size."),
        ({"text": ""}, 400, "The kernel source must not be empty."),
        ({"newTitle": "abcd"}, 400, "The title must be between 5 and 50 characters."),
        ({"slug": "tester/another-id"}, 409, "A notebook with this title already exists."),
    ],
)
def test_what_no_push_may_have_is_an_http_error(
    server: KaggleServer, fields: dict[str, object], code: int, message: str
):
    """Such a push is refused with its HTTP code, the API's form of an error, and no version."""
    push(server)
    request = {"slug": "tester/a-notebook", "newTitle": "a-notebook", "text": "{}", **fields}
    refused = ask(server, "kernels", "SaveKernel", request)
    assert refused.json == {"code": code, "message": message}
    assert len(server.kernels.sessions) == 1


def test_somebody_elses_kernel_is_not_found(server: KaggleServer):
    """A push to another owner's slug is refused in the error field."""
    assert push(server, "stranger/a-notebook") == {"error": "Notebook not found"}


@pytest.mark.slow
def test_source_metadata_and_files_can_be_read_back(kaggle: Cli, server: KaggleServer, tmp_path: Path):
    """`pull`, `list` and `files` give what was pushed and what came out."""
    kaggle("kernels", "push", "-p", kernel_folder(tmp_path / "kernel", kernel_sources=["tester/a-notebook"]))
    server.wait("a-notebook")
    kaggle("kernels", "pull", "tester/a-notebook", "-p", tmp_path / "pulled", "-m")
    metadata = json.loads((tmp_path / "pulled/kernel-metadata.json").read_text())
    source = json.loads((tmp_path / "pulled" / metadata["code_file"]).read_text())
    assert source["cells"][0]["source"] == "a = 1\nprint(a)", "the CLI joins the lines of a cell"
    assert (metadata["id"], metadata["kernel_sources"]) == ("tester/a-notebook", ["tester/a-notebook"])
    assert "tester/a-notebook" in kaggle("kernels", "list", "-m", "-v").stdout
    files = kaggle("kernels", "files", "tester/a-notebook", "-v").stdout
    assert [line.split(",")[:2] for line in files.splitlines()[-2:]] == [
        ["metrics.csv", "7"],
        ["runs/a notebook/best (1).bin", "256"],
    ]


def test_kernels_are_listed_newest_first_in_pages(server: KaggleServer):
    """`kernels list` gets each kernel once, with its current version, page after page."""
    for number in range(5):
        push(server, f"notebook-{number}")
    push(server, "notebook-3")
    seen, token = [], ""
    while True:
        heard = ask(
            server, "kernels", "ListKernels", {"group": "PROFILE", "pageSize": 2, "pageToken": token}
        ).json
        seen += [(kernel["slug"], kernel["currentVersionNumber"]) for kernel in heard["kernels"]]
        token = heard.get("nextPageToken", "")
        if not token:
            break
    assert seen == [(f"notebook-{number}", 2 if number == 3 else 1) for number in (4, 3, 2, 1, 0)]
