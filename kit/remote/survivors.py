"""What goes into a machine and what comes out of it: inputs nobody may write, and files only."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path


def lay_read_only(inputs: Mapping[str, str], folder: Path) -> None:
    """Copy each input to its name below ``folder`` and take the right to write from everything there.

    For machines without mounts. The superuser may write all the same, into the copy.
    """
    folder.mkdir()
    for name, source in inputs.items():
        shutil.copytree(source, folder / name, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)


def give_back(folder: Path) -> None:
    """Remove a folder, if it is there, with what ``lay_read_only`` laid in it."""
    if not folder.is_dir():
        return
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


def keep_files_only(folder: Path) -> None:
    """Remove links, sockets, pipes and empty folders: the output of a run is a list of files."""
    for parent, folders, names in os.walk(folder, topdown=False):
        for name in (*names, *folders):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                if not any(path.iterdir()):
                    path.rmdir()
            elif not stat.S_ISREG(mode):
                path.unlink()
