"""Where a notebook lies: a name in ``notebooks/`` or a path."""

from __future__ import annotations

from pathlib import Path

import kit
from kit.errors import UnknownNameError

SUFFIX = ".ipynb"


def repository_root() -> Path:
    """Return the folder that holds the ``kit`` package: what has to be importable in a kernel."""
    return Path(kit.__file__).resolve().parent.parent


def notebook_names(root: Path | None = None) -> dict[str, Path]:
    """Return the notebooks that have a name, name to path.

    They lie in ``root/notebooks``; without a ``root``, in the ``notebooks`` folder of the current folder and
    then in that of the repository, the first one winning a name.
    """
    roots = [root] if root is not None else [Path.cwd(), repository_root()]
    found: dict[str, Path] = {}
    for folder in roots:
        for path in sorted((folder / "notebooks").glob(f"*{SUFFIX}")):
            found.setdefault(path.stem, path.resolve())
    return found


def find_notebook(name_or_path: str | Path, root: Path | None = None) -> Path:
    """Return the absolute path of a notebook given as a name in ``notebooks/`` or as a path.

    Raises UnknownNameError, which lists the names and the nearest of them, where there is no such notebook.
    """
    text = str(name_or_path)
    path = Path(text).expanduser()
    if path.suffix == SUFFIX and path.is_file():
        return path.resolve()
    names = notebook_names(root)
    is_name = len(path.parts) == 1
    name = text.removesuffix(SUFFIX)
    if is_name and name in names:
        return names[name]
    raise UnknownNameError("notebook", name if is_name else text, names)
