"""The machine's file system: nothing of this machine can be written through it, whatever a mount refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFUSED = """
import sys
from pathlib import Path
import kit.remote.linux as linux
from kit.remote.linux import NEW_MOUNTS, PRIVATE, RECURSIVE, bind, mount, mount_points, own_namespaces
from kit.remote import machine_root

own_namespaces(NEW_MOUNTS)
mount("none", Path("/"), flags=PRIVATE | RECURSIVE)
here = Path(sys.argv[1])
stage, source = here / "stage", here / "source"
for folder in (stage, source / "inner"):
    folder.mkdir(parents=True)
mount("tmpfs", source / "inner", "tmpfs")

def refuse(target):
    raise PermissionError(1, "refused", str(target))

linux.make_read_only = refuse
"""
ONE = """
(here / "seen").mkdir()
try:
    bind(source, here / "seen", read_only=True, recursive=True)
except OSError as error:
    print(error.strerror)
print(any(point.is_relative_to(here / "seen") for point in mount_points()))
"""
WHOLE = """
class Order:
    stage, working = str(stage), stage / "kaggle/working"
    disk_bytes, inputs = 10**12, {}

linux_mount = machine_root.mount
def no_overlay(source, target, kind="", flags=0, data=""):
    if kind == "overlay":
        raise OSError(1, "no overlay")
    linux_mount(source, target, kind, flags, data)

machine_root.mount = no_overlay
Order.working.mkdir(parents=True)
try:
    machine_root.build_root(Order)
except OSError as error:
    print(error.strerror)
"""
LEFT = """
written = [point for point in mount_points() if point.is_relative_to(stage / "root")]
print([point for point in written if point != stage / "root"])
"""
UNLAYERED = """
for path in sorted(Path("/").iterdir()):
    shown = stage / "root" / path.name
    if path.is_dir() and not path.is_symlink() and str(path) not in ("/proc", "/sys", "/dev", "/tmp"):
        try:
            (shown / "kit-rehearsal-test").touch()
        except OSError as error:
            print(error.strerror)
        else:
            print("written into", path)
"""


def said(code: str, folder: Path) -> list[str]:
    """Run it in a process that leaves this machine's mounts; return its lines."""
    done = subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0 and "own_namespaces" in done.stderr:
        pytest.skip("no namespaces are allowed here")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_cannot_be_made_read_only_is_not_shown(tmp_path):
    """A bind that the kernel will not protect is taken away again, with what came along, and that is an error."""
    assert said(REFUSED + ONE, tmp_path) == ["refused", "False"]


def test_a_root_with_a_folder_that_could_be_written_is_no_root(tmp_path):
    """Where neither a layer nor the protection can be had no machine is made, and nothing is left mounted in it."""
    assert said(REFUSED + WHOLE + LEFT, tmp_path) == ["refused", "[]"]


def test_where_no_layer_can_be_had_the_machines_folders_are_read_only(tmp_path):
    """Every folder of this machine's root is seen, and none can be written."""
    allowed = REFUSED.replace("linux.make_read_only = refuse", "")
    words = said(allowed + WHOLE + UNLAYERED, tmp_path)
    assert set(words) == {"Read-only file system"}
