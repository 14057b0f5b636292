"""Files that a notebook needs beside it: named by a parameter, such as a CSV of counts, or modules that it imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kit.errors import UsageError

LARGEST = 2_000_000
"""Bytes of one file; what is larger belongs into a data set."""


def files_named_by(values: Mapping[str, Any], roots: Iterable[Path]) -> dict[str, Path]:
    """Return the files that parameters name, by the relative path that they have there as here.

    A value counts as a file's name where one lies at it, below one of ``roots``; the first of them wins.

    Raises:
        UsageError: a file is named by an absolute path, or one out of the folder, or is too large to travel.
    """
    found = {}
    roots = list(roots)
    for name, value in values.items():
        if not isinstance(value, str) or not value or len(value) > 500 or "\n" in value:
            continue
        path = next((root / value for root in roots if (root / value).is_file()), None)
        if path is None:
            continue
        found[_checked(name, value, path)] = path
    return found


def modules_beside(notebook: Path, modules: Iterable[str]) -> dict[str, Path]:
    """Return the files of those modules that lie beside the notebook, by name: it would not find them elsewhere.

    What they import in turn is not looked at.
    """
    files = {f"{name}.py": notebook.parent / f"{name}.py" for name in modules}
    return {name: path for name, path in files.items() if path.is_file()}


def _checked(name: str, value: str, path: Path) -> str:
    place = PurePosixPath(value)
    if place.is_absolute() or ".." in place.parts:
        raise UsageError(
            f"Parameter {name!r} names the file {value!r}, which would not be found on another machine. Legal: a path "
            "inside the folder that the command is called in, such as counts.csv."
        )
    size = path.stat().st_size
    if size > LARGEST:
        raise UsageError(
            f"Parameter {name!r} names {value!r}, a file of {size:,} bytes: too large to travel in a notebook "
            f"({LARGEST:,} at most). Make a data set of it, attach that, and name it as /kaggle/input/…."
        )
    return place.as_posix()
