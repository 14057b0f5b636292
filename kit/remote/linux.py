"""The calls of Linux that make a machine within the machine: namespaces and mounts, which Python 3.11 lacks."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path

NEW_MOUNTS, NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x0002_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x4_0000
_KEPT = 0x2 | 0x4 | 0x8 | 0x400 | 0x800
"""What a remount has to repeat: nosuid, nodev, noexec, noatime, nodiratime; statvfs has them at the same bits."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1


def unshare(flags: int) -> None:
    """Leave the namespaces that ``flags`` names for new ones; OSError where that is not allowed."""
    _check(_libc().unshare(flags), "unshare")


def own_namespaces(flags: int) -> None:
    """Do so as root, else as the root of a user namespace of one's own; OSError where neither is allowed."""
    user, group = os.geteuid(), os.getegid()
    if user == 0 and not flags & NEW_USERS:
        try:
            unshare(flags)
        except PermissionError:  # root in a container without the capability
            pass
        else:
            return
    unshare(flags | NEW_USERS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def mount(source: Path | str, target: Path, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount; OSError, with the target's name, where that fails."""
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode() or None)
    _check(_libc().mount(*arguments, ctypes.c_ulong(flags), data.encode() or None), str(target))


def bind(source: Path, target: Path, *, read_only: bool = False, recursive: bool = False) -> None:
    """Let ``source`` be seen at ``target``, which exists and is of the same kind."""
    mount(source, target, flags=BIND | (RECURSIVE if recursive else 0))
    if read_only:
        make_read_only(target)


def make_read_only(target: Path) -> None:
    """Let nobody write through the mount at ``target``."""
    kept = os.statvfs(target).f_flag & _KEPT
    mount("none", target, flags=BIND | REMOUNT | READ_ONLY | kept)


def mount_points() -> list[Path]:
    """Return where something is mounted, in the order in which it was."""
    fields = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    # Blanks, tabs, newlines and backslashes are written in octal.
    return [Path(field[4].encode().decode("unicode_escape").encode("latin-1").decode()) for field in fields]


def start_loopback() -> None:
    """Bring the loopback device up: in a new network namespace nothing else is there, and it is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def die_with_parent() -> None:
    """Let the kernel kill this process as soon as the thread that made it has ended."""
    _check(_libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")


def adopt_orphans() -> None:
    """Become the parent of whatever descendant loses its own."""
    _check(_libc().prctl(_PR_SET_CHILD_SUBREAPER, 1), "prctl")


def _libc() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError("only Linux has namespaces")
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, name: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
