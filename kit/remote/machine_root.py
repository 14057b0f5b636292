"""The file system of the machine: this one's, where writes are lost, with Kaggle's folders and without this kit."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import urllib.parse
from contextlib import suppress
from pathlib import Path

import kit
from kit.remote.linux import PRIVATE, RECURSIVE, bind, make_read_only, mount, mount_points
from kit.remote.machine_order import MachineOrder

DISK_OF_ITS_OWN_BYTES = 2**30
"""Up to here ``/kaggle/working`` is a file system of that size, in memory, which is really full when it is full."""
_NOT_COPIED = ("/proc", "/sys", "/dev", "/tmp")


def build_root(order: MachineOrder) -> Path:
    """Mount everything below ``order.stage`` and return the folder that becomes ``/``.

    To be called in a mount namespace of its own. ``/proc`` is left to the first process, which alone sees the
    processes that belong there.

    Raises:
        OSError: something cannot be mounted.
    """
    stage = Path(order.stage)
    mount("none", Path("/"), flags=PRIVATE | RECURSIVE)
    if has_own_disk(order):
        mount("tmpfs", order.working, "tmpfs", data=f"size={order.disk_bytes}")
    root = _copy_on_write(stage)
    _mount_the_rest(root, stage)
    _fresh_temporary(root, stage)
    _hide_the_kit(root, stage)
    _add_kaggle(root, order)
    _add_memory_group(root, stage)
    return root


def has_own_disk(order: MachineOrder) -> bool:
    """Whether ``/kaggle/working`` is a file system of its own; else its size is watched."""
    return order.disk_bytes <= DISK_OF_ITS_OWN_BYTES


def _copy_on_write(stage: Path) -> Path:
    """Lay memory over each folder of this machine's root: what is installed or written there is gone with the machine.

    Over each folder, and not over the root, since a user namespace is not allowed to see below what is mounted there.
    """
    layers, root = stage / "layers", stage / "root"
    for folder in (layers, root):
        folder.mkdir()
        mount("tmpfs", folder, "tmpfs")
    os.chdir(layers)  # a path of any name would have to be escaped, a relative one has a name of ours
    for number, path in enumerate(sorted(Path("/").iterdir())):
        target = root / path.name
        if path.is_symlink():
            target.symlink_to(path.readlink())
        elif path.is_dir():
            target.mkdir()
            if str(path) not in _NOT_COPIED:
                _overlay(path, target, Path(str(number)))
    return root


def _overlay(path: Path, target: Path, layer: Path) -> None:
    """Show ``path`` at ``target``, writes going to ``layer``; where that cannot be, read-only."""
    for name in ("upper", "work", "lower"):
        (layer / name).mkdir(parents=True)
    lower = layer / "lower"
    try:
        bind(path, lower)
        options = f"lowerdir={lower},upperdir={layer}/upper,workdir={layer}/work"
        try:
            mount("overlay", target, "overlay", data=options)
        except OSError:  # in a user namespace the layers' notes need another kind of attribute
            mount("overlay", target, "overlay", data=f"{options},userxattr")
    except OSError:
        bind(path, target, recursive=True)
        with suppress(OSError):
            make_read_only(target)


def _mount_the_rest(root: Path, stage: Path) -> None:
    """Show devices, and the other file systems read-only: an overlay does not reach into them."""
    for name in ("dev", "sys"):
        bind(Path("/", name), root / name, recursive=True)
    with suppress(OSError):
        mount("tmpfs", root / "dev/shm", "tmpfs")
    for point in mount_points():
        below = any(point.is_relative_to(other) for other in (*_NOT_COPIED, stage))
        target = root / point.relative_to("/")
        if len(point.parts) > 2 and not below and target.exists():  # those in the root have a layer already
            with suppress(OSError):
                bind(point, target, read_only=True)


def _fresh_temporary(root: Path, stage: Path) -> None:
    """Give the machine an empty ``/tmp``, but for the interpreter where that lies there."""
    _folder(stage / "tmp")
    bind(stage / "tmp", root / "tmp")
    needed = {sys.prefix, sys.base_prefix, *(entry for entry in sys.path if "-packages" in entry)}
    for path in sorted(map(Path, needed)):
        target = root / path.relative_to("/")
        if path.is_relative_to("/tmp") and path.is_dir() and not target.exists():
            bind(path, _folder(target))


def _hide_the_kit(root: Path, stage: Path) -> None:
    """Put an empty folder over every ``kit`` that Python would find: what was pushed has to bring its own."""
    nothing = _folder(stage / "nothing")
    for folder in {Path(kit.__file__).resolve().parent, *_installed_kit()}:
        target = root / folder.relative_to("/")
        if target.is_dir():
            bind(nothing, target)


def _installed_kit() -> list[Path]:
    """Return where the kit of an editable installation lies, if it is one."""
    try:
        url = importlib.metadata.distribution("training-kit").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return []
    path = urllib.parse.urlparse(str(json.loads(url or "{}").get("url", ""))).path
    return [Path(urllib.parse.unquote(path)) / "kit"] if path else []


def _add_kaggle(root: Path, order: MachineOrder) -> None:
    """Make ``/kaggle/working`` and the read-only ``/kaggle/input``."""
    working = _folder(root / "kaggle/working")
    bind(order.working, working)
    inputs = _folder(root / "kaggle/input")
    mount("tmpfs", inputs, "tmpfs")
    for name in sorted(order.inputs):
        bind(Path(order.inputs[name]), _folder(inputs / name), read_only=True)
    make_read_only(inputs)


def _add_memory_group(root: Path, stage: Path) -> None:
    """Let the machine's control group say what the rehearsal writes into ``stage/group``: its limit and its use."""
    group = _folder(stage / "group")
    _folder(group / "memory")
    with suppress(OSError):  # where there are none, a session looks at the machine's memory alone
        bind(group, root / "sys/fs/cgroup")


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
