"""Rehearsals: real notebooks on a real machine within the machine, really killed."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from kit.errors import UsageError
from kit.harness.clock import SYSTEM_CLOCK
from kit.remote.machine_order import NAMESPACES, REDIRECTED
from kit.remote.rehearse import TOO_LONG, TOO_MUCH_MEMORY, RehearsalOrder, rehearse
from tests.remote.tiny_kernel import tiny_kernel

ROOT = Path(__file__).resolve().parents[2]
LOOK = r"""
import json, os, sys
from pathlib import Path
working = Path.cwd()
where = working.parent
def refused(act):
    try:
        act()
    except OSError as error:
        return error.strerror
    return ""
first = Path("/proc/1/stat").read_text().rpartition(")")[2].split()
age_s = __import__("time").clock_gettime(7) - int(first[19]) / os.sysconf("SC_CLK_TCK")
try:
    import kit
    has_kit = list(kit.__path__)
except ImportError:
    has_kit = []
group = Path("/sys/fs/cgroup/memory.max")
facts = {
    "working": str(working), "listed": sorted(os.listdir()), "environ": dict(os.environ),
    "input": (where / "input/data/a.txt").read_text(), "first_age_s": age_s, "kit": has_kit,
    "in_input": refused(lambda: (where / "input/new").mkdir()),
    "in_data": refused(lambda: (where / "input/data/a.txt").write_text("changed")),
    "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    "memory": group.read_text().strip() if group.exists() else "",
    "network": [name for _, name in __import__("socket").if_nameindex()],
}
Path("facts.json").write_text(json.dumps(facts))
Path("deep/er").mkdir(parents=True)
Path("deep/er/kept.txt").write_text("kept")
Path("empty").mkdir()
os.symlink("facts.json", "link")
(Path(os.environ["TMPDIR"]) / "gone.txt").write_text("gone")
Path("/etc/kit-rehearsal-test").write_text("gone") if str(where) == "/kaggle" else None
print("said aloud")
print("said aside", file=sys.stderr)
"""
HANG = r"""
import subprocess, sys, time
from pathlib import Path
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600) # MARK"], start_new_session=True)
Path("before.txt").write_text("before")
try:
    time.sleep(600)
finally:
    Path("after.txt").write_text("after")
"""


@pytest.fixture(scope="session")
def allowed() -> bool:
    """Whether this machine lets us make namespaces."""
    probe = "from kit.remote.linux import *; own_namespaces(NEW_MOUNTS | NEW_PROCESSES | NEW_NETWORK)"
    return subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True).returncode == 0


@pytest.fixture(params=[NAMESPACES, pytest.param(REDIRECTED, marks=pytest.mark.slow)])
def isolation(request, allowed):
    """The two ways to make a machine; the default suite takes the better one only."""
    if request.param == NAMESPACES and not allowed:
        pytest.skip("no namespaces are allowed here")
    return request.param


@pytest.fixture(params=[NAMESPACES, REDIRECTED])
def either(request, allowed):
    """Both of them, in the default suite too."""
    if request.param == NAMESPACES and not allowed:
        pytest.skip("no namespaces are allowed here")
    return request.param


def test_a_run_sees_kaggles_machine_and_its_files_come_back(tmp_path, either):
    """Folders, variables, read-only inputs, process 1: as on Kaggle; files survive, what lies elsewhere is gone."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text("from before")
    kernel = tiny_kernel(tmp_path / "kernel", LOOK)
    order = RehearsalOrder(kernel, 60, {"data": tmp_path / "data"}, tmp_path / "out", isolation=either)
    found = rehearse(order)
    assert (found.status, found.exit_code, found.failure_message) == ("COMPLETE", 0, "")
    assert found.isolation == either
    names = {path.relative_to(found.working).as_posix() for path in found.working.rglob("*")} - {
        "__results__.html"
    }
    assert names == {"__notebook__.ipynb", "facts.json", "deep", "deep/er", "deep/er/kept.txt"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["tiny-one.log", "working"]
    assert (tmp_path / "data/a.txt").read_text() == "from before"

    facts = json.loads((found.working / "facts.json").read_text())
    assert facts["listed"] == ["__notebook__.ipynb"]
    assert facts["input"] == "from before"
    environ = facts["environ"]
    assert environ["KAGGLE_KERNEL_RUN_TYPE"] == "Batch"
    assert environ["KAGGLE_URL_BASE"] == "https://www.kaggle.com"
    assert "PYTHONPATH" not in environ
    assert not {name for name in environ if name.startswith("KAGGLE_") and re.search("TOKEN|KEY", name)}
    assert environ["HOME"] != os.environ.get("HOME")
    said = {
        name: "".join(r["data"] for r in found.log if r["stream_name"] == name)
        for name in ("stdout", "stderr")
    }
    assert "said aloud\n" in said["stdout"]
    assert "said aside\n" in said["stderr"]
    assert json.loads(found.log_file.read_text()) == found.log
    assert [record["time"] for record in found.log] == sorted(record["time"] for record in found.log)
    executed = json.loads((found.working / "__notebook__.ipynb").read_text())
    assert executed["metadata"]["papermill"]["output_path"] == "__notebook__.ipynb"
    if either == NAMESPACES:
        assert facts["working"] == "/kaggle/working"
        assert facts["in_input"] == facts["in_data"] == "Read-only file system"
        assert facts["first_age_s"] < found.elapsed_s
        assert facts["processes"] < 10
        assert facts["memory"] == "30000000000"
        assert facts["kit"] == [], "what was pushed has to bring its own kit"
        assert facts["network"] == ["lo"]
        assert not Path("/etc/kit-rehearsal-test").exists()
        assert not Path("/kaggle").exists()
    else:
        assert environ["KIT_KAGGLE_FOLDER"] == str(Path(facts["working"]).parent)
        assert float(environ["KIT_BEGAN"]) > 0


def test_at_the_limit_everything_is_killed_without_a_warning(tmp_path, isolation):
    """CANCEL_ACKNOWLEDGED and 137; no `finally` ran, no process of its own session is left, files are there."""
    mark = f"mark-{os.getpid()}-{isolation}"
    kernel = tiny_kernel(tmp_path / "kernel", HANG.replace("MARK", mark))
    found = rehearse(RehearsalOrder(kernel, 4, {}, tmp_path / "out", isolation=isolation))
    assert (found.status, found.exit_code) == ("CANCEL_ACKNOWLEDGED", 137)
    assert found.failure_message == TOO_LONG
    assert 4 <= found.elapsed_s < 6
    assert (found.working / "before.txt").read_text() == "before"
    assert not (found.working / "after.txt").exists()
    assert not [
        one for one in psutil.process_iter(["cmdline"]) if mark in " ".join(one.info["cmdline"] or [])
    ]


def test_a_failing_cell_is_an_error_with_papermills_code(tmp_path, isolation):
    """The exit code is papermill's, the traceback is in the log, and cells after it did not run."""
    kernel = tiny_kernel(tmp_path / "kernel", "raise ValueError('as it was')", "open('late.txt', 'w')")
    found = rehearse(RehearsalOrder(kernel, 60, {}, tmp_path / "out", isolation=isolation))
    assert (found.status, found.exit_code, found.failure_message) == ("ERROR", 1, "")
    assert "ValueError: as it was" in "".join(record["data"] for record in found.log)
    assert not (found.working / "late.txt").exists()


@pytest.mark.slow
def test_more_memory_than_there_is_ends_it_with_kaggles_words(tmp_path, isolation):
    """The limit is that of all processes together."""
    cell = "held = bytearray(700 * 2**20)\nimport time\nopen('held.txt', 'w').close()\ntime.sleep(60)"
    kernel = tiny_kernel(tmp_path / "kernel", cell)
    order = RehearsalOrder(kernel, 50, {}, tmp_path / "out", memory_bytes=500 * 2**20, isolation=isolation)
    found = rehearse(order)
    assert (found.status, found.exit_code, found.failure_message) == ("ERROR", 137, TOO_MUCH_MEMORY)
    assert found.elapsed_s < 40


def test_a_full_disk_is_full(tmp_path, allowed):
    """With namespaces the folder of the output is a file system of that size: writing fails as on a full disk."""
    if not allowed:
        pytest.skip("no namespaces are allowed here")
    cell = (
        "import errno\nfrom pathlib import Path\n"
        "try:\n    Path('big').write_bytes(bytes(4 * 2**20))\n"
        "except OSError as error:\n    Path('big').unlink()\n"
        "    Path('fault.txt').write_text(errno.errorcode[error.errno])"
    )
    kernel = tiny_kernel(tmp_path / "kernel", cell)
    found = rehearse(RehearsalOrder(kernel, 60, {}, tmp_path / "out", disk_bytes=2 * 2**20))
    assert (found.status, found.isolation) == ("COMPLETE", NAMESPACES)
    assert (found.working / "fault.txt").read_text() == "ENOSPC"


@pytest.mark.slow
def test_where_the_disk_is_only_watched_the_run_is_ended(tmp_path):
    """Without mounts the size of the output is looked at, and more than there may be is an error."""
    cell = "import time\nopen('big', 'wb').write(bytes(4 * 2**20))\ntime.sleep(60)"
    kernel = tiny_kernel(tmp_path / "kernel", cell)
    found = rehearse(
        RehearsalOrder(kernel, 50, {}, tmp_path / "out", disk_bytes=2 * 2**20, isolation=REDIRECTED)
    )
    assert (found.status, found.exit_code) == ("ERROR", 137)
    assert "2,097,152 bytes into /kaggle/working" in found.failure_message
    assert (found.working / "big").stat().st_size == 4 * 2**20


def test_where_no_namespaces_are_allowed_it_is_redirected(tmp_path, allowed):
    """The same run in a folder, and the rehearsal says that it was one."""
    if not allowed:
        pytest.skip("nothing to forbid: no namespaces are allowed here")
    kernel = tiny_kernel(tmp_path / "kernel", "print('ran')")
    code = (
        "from pathlib import Path; from kit.remote.linux import *; from kit.remote.rehearse import *\n"
        "own_namespaces(NEW_USERS)\n"
        "Path('/proc/sys/user/max_mnt_namespaces').write_text('0')\n"
        f"order = RehearsalOrder(Path({str(kernel)!r}), 60, {{}}, Path({str(tmp_path / 'out')!r}))\n"
        "found = rehearse(order)\n"
        "print(found.isolation, found.status, found.log[-1]['data'])"
    )
    words = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert words.stdout.split() == ["redirected", "COMPLETE", "ran"], words.stderr


@pytest.mark.slow
def test_a_run_does_not_outlive_whoever_rehearses_it(tmp_path, isolation):
    """Killed itself, a rehearsal leaves no process behind."""
    mark = f"mark-{os.getpid()}-orphan-{isolation}"
    kernel = tiny_kernel(tmp_path / "kernel", HANG.replace("MARK", mark))
    code = (
        "from pathlib import Path; from kit.remote.rehearse import *\n"
        f"rehearse(RehearsalOrder(Path({str(kernel)!r}), 60, {{}}, Path({str(tmp_path / 'out')!r}), "
        f"isolation={isolation!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    _until(lambda: bool(_marked(mark)), 30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _until(lambda: not _marked(mark), 10)


def _marked(mark: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if mark in " ".join(one.info["cmdline"] or [])]


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end_s = SYSTEM_CLOCK.monotonic() + seconds
    while not condition():
        assert SYSTEM_CLOCK.monotonic() < end_s, f"not within {seconds} s"
        threading.Event().wait(0.05)


@pytest.mark.parametrize("limit_s", [0, -1, float("nan"), float("inf")])
def test_a_limit_is_a_time(tmp_path, limit_s):
    """No time, and no end, are refused before anything is started."""
    with pytest.raises(UsageError, match="longer than zero"):
        RehearsalOrder(tmp_path, limit_s, {}, tmp_path / "out")


@pytest.mark.parametrize("name", ["", "/etc", "../up", "a/../../b", "a/./b"])
def test_an_input_lies_below_the_inputs(tmp_path, name):
    """A name that would lead elsewhere is refused."""
    with pytest.raises(UsageError, match="no name below /kaggle/input"):
        RehearsalOrder(tmp_path, 60, {name: tmp_path}, tmp_path / "out")


def test_what_is_no_kernel_is_named(tmp_path):
    """No metadata, broken metadata, no code file, a script: each is said, and nothing is started."""
    out, kernel = tmp_path / "out", tmp_path / "kernel"

    def refused(match: str) -> None:
        with pytest.raises(UsageError, match=match):
            rehearse(RehearsalOrder(kernel, 60, {}, out))

    refused("no kernel's folder")
    tiny_kernel(kernel, "pass")
    (kernel / "kernel-metadata.json").write_text("{")
    refused("not valid JSON")
    (kernel / "kernel-metadata.json").write_text('{"id": "me/one"}')
    refused("has no 'code_file'")
    (kernel / "kernel-metadata.json").write_text('{"id": "me/one", "code_file": "script.py"}')
    refused("no notebook that is there")
    assert not out.exists()


def test_somebodys_files_are_not_written_over(tmp_path):
    """A folder that holds something is refused, untouched."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    kernel = tiny_kernel(tmp_path / "kernel", "pass")
    with pytest.raises(UsageError, match="not empty"):
        rehearse(RehearsalOrder(kernel, 60, {}, tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
